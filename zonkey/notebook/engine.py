"""A papermill engine: the same run gives the same bytes, its log is live, a wrong parameter is refused.

papermill imports this module while it is itself imported (entry point ``papermill.engine``): import it first.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager
from traitlets import default

from zonkey.files import write_beside
from zonkey.notebook.parameters import NotebookError, check_parameters
from zonkey.notebook.plain import plain

log = logging.getLogger(__name__)


class ZonkeyEngine(Engine):
    """Run a notebook in this environment's own Python and keep only what a second run would give again."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        """Run ``nb`` and write it to ``output_path``, also when it fails.

        Raises:
            NotebookError: a parameter is not declared or of another type, a cell raised, or the kernel died.
        """
        source = options.get("input_path") or "notebook"
        check_parameters(nb, str(source))
        # Without an output path of its own papermill writes nothing half-done.
        run = NotebookExecutionManager(nb, output_path=None, progress_bar=False)
        run.notebook_start()
        try:
            failure = _execute(run, options.get("start_timeout", 60))
        finally:
            plain(run.nb)
            if output_path:
                write_beside(Path(output_path), nbformat.writes(run.nb))
        if failure:
            where = f"; the notebook so far is {output_path}" if output_path else ""
            raise NotebookError(f"{source}: {failure}{where}")
        return run.nb


class _OwnKernel(AsyncKernelManager):
    """The kernel of the Python that runs this, whatever kernels are registered for the user."""

    @default("kernel_spec_manager")
    def _no_registered_kernels(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


class _Client(PapermillNotebookClient):
    def log_output_message(self, output: NotebookNode) -> None:
        if output.output_type == "stream":
            sys.stderr.write(output.text)
            sys.stderr.flush()


def _execute(run: NotebookExecutionManager, start_timeout: int) -> str | None:
    """Run every cell; returns a sentence saying what failed, or None."""
    client = _Client(
        run,
        kernel_name="python3",
        kernel_manager_class=_OwnKernel,
        startup_timeout=start_timeout,
        timeout=None,
        log_output=True,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=50"],  # quiet about TCP: it listens here only
    )
    with tempfile.TemporaryDirectory() as settings:
        fixed = {
            "IPYTHONDIR": settings,  # no start-up files of the user
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYTHONHASHSEED": "0",
            "SOURCE_DATE_EPOCH": "0",  # the date in figures
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        try:
            client.execute(env={**os.environ, **fixed})
        except DeadKernelError:
            return "the kernel died (out of memory, or killed)"
    for cell in run.nb.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                log.debug("%s", "\n".join(output.traceback))  # the notebook keeps it in any case
                return f"cell {cell.execution_count} raised {output.ename}: {output.evalue}"
    return None
