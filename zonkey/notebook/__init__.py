"""How notebooks are run and kept: a papermill engine, output-free copies, published copies.

Only :func:`at_root` is meant for the notebooks themselves; it is light to import.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["at_root"]


def at_root() -> Path:
    """Change to the repository's root, so that a notebook's paths hold wherever it was opened; returns it.

    The root is the nearest folder, from the working directory upwards, that holds ``params.yaml`` and ``dvc.yaml``
    (reports keep the parameters of their runs, without a pipeline).

    Raises:
        FileNotFoundError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            os.chdir(folder)
            return folder
    raise FileNotFoundError(
        f"no params.yaml beside a dvc.yaml in {here} or above it; open the notebook inside the repository"
    )
