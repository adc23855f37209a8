"""Files and folders that are either whole or not there: written beside, then renamed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_beside(path: Path, content: str | Callable[[Path], Any]) -> None:
    """Write text to ``path``, or let a function fill it; an interrupted write leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        if callable(content):
            content(beside)
        else:
            beside.write_text(content, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """An empty folder that replaces ``path`` when the block ends well, and is dropped when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        shutil.rmtree(path, ignore_errors=True)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")  # one name, so that the next write clears what a kill left
