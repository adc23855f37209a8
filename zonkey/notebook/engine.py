"""A papermill engine: the same run gives the same bytes, its log is live, a wrong parameter is refused.

papermill imports this module while it is itself imported (entry point ``papermill.engine``): import it first.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager
from traitlets import default
from traitlets.config import Config

from zonkey.files import write_beside
from zonkey.notebook.guard import guarded, settings
from zonkey.notebook.parameters import NotebookError, check_parameters
from zonkey.notebook.plain import plain

log = logging.getLogger(__name__)

_FIXED = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",  # the date in figures
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm's, who looks for a browser
}


class ZonkeyEngine(Engine):
    """Run a notebook in this environment's own Python and keep only what a second run would give again."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        """Run ``nb`` and write it to ``output_path``, also when it fails.

        Raises:
            NotebookError: a parameter is not declared or of another type, a cell failed, the kernel died, or
                there is no room for the result.
        """
        source = options.get("input_path") or "notebook"
        check_parameters(nb, str(source))
        # Without an output path of its own papermill writes nothing half-done.
        run = _Run(nb, output_path=None, progress_bar=False)
        run.notebook_start()
        try:
            failure = _execute(run, options.get("start_timeout", 60))
        finally:
            plain(run.nb)
            lost = _keep(run.nb, output_path)
        if failure and output_path and not lost:
            failure += f"; the notebook so far is {output_path}"
        if failure or lost:
            raise NotebookError(f"{source}: {'; '.join(filter(None, (failure, lost)))}")
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


class _Run(NotebookExecutionManager):
    """Remembers why a cell failed: not every failure is an output (an unknown magic is none)."""

    failure: str | None = None

    def cell_exception(self, cell: NotebookNode, cell_index: int | None = None, **details: Any) -> None:
        error: CellExecutionError = details["exception"]
        self.failure = f"cell {cell.execution_count} raised {error.ename}: {error.evalue}"
        for output in cell.outputs:
            log.debug("%s", "\n".join(output.get("traceback", [])))  # the notebook keeps it in any case


def _execute(run: _Run, start_timeout: int) -> str | None:
    """Run every cell; returns a sentence saying what failed, or None."""
    try:
        with guarded() as folder:
            client = _Client(
                run,
                kernel_name="python3",
                kernel_manager_class=_OwnKernel,
                config=Config(KernelManager={"connection_file": str(folder / "kernel.json")}),
                startup_timeout=start_timeout,
                timeout=None,
                log_output=True,
                record_timing=False,
                extra_arguments=["--IPKernelApp.log_level=50"],  # quiet about TCP: it listens here only
            )
            client.execute(env=os.environ | _FIXED | settings(folder) | {"IPYTHONDIR": str(folder / "ipython")})
    except DeadKernelError:
        return "the kernel died (out of memory, or killed)"
    except RuntimeError as error:  # before the first cell
        return f"the kernel did not start ({error})"
    except OSError as error:
        return f"the kernel could not be run ({error}); free space, or set TMPDIR to another folder"
    return run.failure


def _keep(notebook: NotebookNode, path: str | None) -> str | None:
    """Write the notebook; returns a sentence saying why it could not be, or None."""
    if path:
        try:
            write_beside(Path(path), nbformat.writes(notebook))
        except OSError as error:
            return f"cannot write {path}: {error.strerror}; free space or choose another folder"
    return None
