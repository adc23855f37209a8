"""The texts that a command is given: from arguments, a file or standard input."""

from __future__ import annotations

import argparse
import reprlib
import sys
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 2**26  # of a file or standard input, which are held in memory
POSITIONS = 2**17  # bytes that go through the model at once, padding included


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the texts come from."""
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="without any, and no --file: standard input")
    parser.add_argument("--file", type=Path, help="a file that is the text ('-' for standard input)")
    parser.add_argument("--lines", action="store_true", help="take each line of the file, or input, as a text")


def texts(options: argparse.Namespace) -> list[str]:
    """The texts, at least one.

    Raises:
        ValueError: there is none, they come from two places, are too much, or are not UTF-8.
        OSError: the file cannot be read.
    """
    if options.texts and options.file:
        raise ValueError(f"texts are given as arguments and as --file {options.file}; give one of the two")
    if options.texts and options.lines:
        raise ValueError("--lines is for a file or standard input, and texts are given as arguments; leave it out")
    if options.texts:
        for number, text in enumerate(options.texts, 1):
            if bad := [letter for letter in text if "\ud800" <= letter <= "\udfff"]:  # a byte that is no UTF-8
                raise ValueError(f"argument {number} is not UTF-8 text (byte {ord(bad[0]) & 0xFF:#04x}); give UTF-8")
        return options.texts
    origin = "standard input" if options.file in (None, Path("-")) else f"--file {options.file}"
    whole = _decoded(_read(options.file, origin), origin)
    found = [line for line in whole.splitlines() if line] if options.lines else [whole.removesuffix("\n")]
    if not any(found):
        raise ValueError(f"{origin} holds no text; give some")
    return found


def check_sizes(given: list[str], limit: int) -> None:
    """Refuse texts that the model does not take, before any work; raises ValueError naming the first."""
    for number, text in enumerate(given, 1):
        size = len(text.encode())
        if not 2 <= size <= limit:
            problem = "short" if size < 2 else "long"
            raise ValueError(
                f"text {number}, {reprlib.repr(text)}, is too {problem}: {size} bytes; this model takes 2 to {limit}"
            )


def batches(given: list[str]) -> Iterator[list[str]]:
    """The texts in order, as many at a time as are worth :data:`POSITIONS`, each counted as the longest."""
    batch: list[str] = []
    longest = 0
    for text in given:
        longest = max(longest, len(text.encode()))
        if batch and longest * (len(batch) + 1) > POSITIONS:
            yield batch
            batch, longest = [], len(text.encode())
        batch.append(text)
    if batch:
        yield batch


def _read(file: Path | None, origin: str) -> bytes:
    if origin == "standard input" or file is None:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"{origin} holds more than {MOST_BYTES >> 20} MiB; give it in parts")
    return raw


def _decoded(raw: bytes, origin: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        value = f"byte {error.start} is {raw[error.start]:#04x}"
        raise ValueError(f"{origin} is not UTF-8 text: {value}; save it as UTF-8") from None
