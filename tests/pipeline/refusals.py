"""Commands that have to be refused: run in this process, and held to the form of a refusal."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from zonkey.cli import main


def refused(capsys: pytest.CaptureFixture, arguments: Sequence[str], *says: str, stdin: bytes = b"") -> str:
    """Run a command that is wrong; returns its sentence, which is one line and holds all of ``says``."""
    capsys.readouterr()
    with patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin))):
        try:
            status: int | str | None = main(list(arguments))
        except SystemExit as stop:  # argparse
            status = stop.code
    out, error = capsys.readouterr()
    assert isinstance(status, int) and status > 0, f"{status}: {out}"
    assert out == "" and error.startswith("zonkey: ") and error.count("\n") == 1, error
    assert len(error) < 600, f"{len(error)} characters: {error}"
    assert "--debug" not in error, f"a surprise: {error}"
    for words in says:
        assert words in error, error
    return error
