"""nbval as the tests use it: every cell again in this environment, strictly, and never for ever."""

from __future__ import annotations

import sys

SECONDS = 300  # for a cell


def nbval(*options: str) -> tuple[str, ...]:
    """The command that runs notebooks and compares their outputs with the stored ones (``--nbval``), or does not."""
    plugins = ("-p", "no:cacheprovider", "-p", "tests.pipeline.strict")
    return (
        *(sys.executable, "-m", "pytest", "-q", *plugins),
        *("--nbval-current-env", f"--nbval-cell-timeout={SECONDS}", *options),
    )
