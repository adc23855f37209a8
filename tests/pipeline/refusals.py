"""Commands that have to be refused: run in this process, and held to the form of a refusal.

What is said is also written into the file that ``MESSAGES`` names, for people to read (``make messages``).
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
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
    keep(f"zonkey {shlex.join(arguments)}"[:200], error)
    return error


def keep(asked: str, said: str) -> None:
    """Write down what was asked for and what was said."""
    if place := os.environ.get("MESSAGES"):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(f"{asked!a}\n    {said.strip()}\n")
