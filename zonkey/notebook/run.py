"""Execute one notebook with the engine of :mod:`zonkey.notebook.engine`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill
from papermill.engines import papermill_engines

from zonkey.notebook.copies import read
from zonkey.notebook.engine import ZonkeyEngine


def run(source: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Run the notebook ``source`` with ``parameters`` and write it, executed, to ``output``.

    Raises:
        ValueError: ``source`` is no notebook, or ``output`` cannot be one or is the same file.
        NotebookError: a parameter is refused, a cell raised, or the kernel died.
    """
    if output.suffix != ".ipynb":
        raise ValueError(f"{output} does not end with .ipynb; name an executed notebook so")
    if output.resolve() == source.resolve():
        raise ValueError(f"{output} is the notebook itself; name another file for the executed one")
    read(source)
    output.parent.mkdir(parents=True, exist_ok=True)  # before hours of work, not after
    papermill_engines.register("zonkey", ZonkeyEngine)
    papermill.execute_notebook(
        str(source),
        str(output),
        parameters=parameters,
        engine_name="zonkey",
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )
