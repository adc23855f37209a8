"""Execute one notebook with the engine of :mod:`zonkey.notebook.engine`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill
from papermill.engines import papermill_engines

from zonkey.notebook.engine import ZonkeyEngine


def run(source: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Run the notebook ``source`` with ``parameters`` and write it, executed, to ``output``.

    Raises:
        NotebookError: a parameter is refused, a cell raised, or the kernel died.
    """
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
