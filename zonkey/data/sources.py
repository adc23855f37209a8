"""Where text comes from: a stream of documents from the built-in grammar, local files or the hub."""

from __future__ import annotations

import glob
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zonkey.config import DataConfig
from zonkey.config.say import close
from zonkey.data import encyclopedia
from zonkey.data.errors import DataError

EXPLAINED = {  # what it means and what to do, by a part of what a reader says
    "codec can't decode": ("", "save it as UTF-8"),
    "BatchSize must be greater than 0": ("the table has no rows", "give one with documents"),
    "Extraction protocol for TAR": ("tar archives are not read", "unpack it, and name the files"),
    "changed from object to": ("a line is no JSON object", 'write one on each line: {"id": "1", "text": "..."}'),
    "recursion": ("it is nested too deeply", "give a flatter file"),
}


@dataclass(frozen=True)
class Document:
    """One document; ``text`` or ``id`` is None where the source has a null."""

    id: str | None
    text: str | None


def documents(config: DataConfig) -> Iterator[Document]:
    """All documents of the source, in its order.

    ``text`` files hold one document a paragraph (blank lines apart). Documents of files without an id
    column (``text``, or an empty ``id_column``) are named by a hash of their text. ``hub`` streams a pinned
    revision.

    Raises:
        DataError: a file is missing or unreadable, a column missing or of the wrong type, or nothing matches.
    """
    if config.source in encyclopedia.SOURCES:
        assert config.documents is not None  # the encyclopedia has no end; the configuration refuses it
        for article in encyclopedia.articles(config.documents, config.seed, config.source):
            yield Document(article.id, article.text)
        return
    if config.source == "hub":
        origin = f"{config.hub_name} ({config.hub_config}) at revision {config.hub_revision}"
        loading: dict[str, Any] = {
            "path": config.hub_name,
            "name": config.hub_config,
            "revision": config.hub_revision,
        }
    else:
        origin = str(config.path)
        loading = {"path": {"jsonl": "json"}.get(config.source, config.source), "data_files": _files(config)}
    if config.source == "text":
        yield from _rows(loading | {"sample_by": "paragraph"}, origin, "text", "")
    else:
        yield from _rows(loading, origin, config.text_column, config.id_column)


def _files(config: DataConfig) -> list[str]:
    pattern = config.path or ""
    if Path(pattern).is_dir():
        raise DataError(f"data.path {pattern} is a folder; name its files, for example {pattern}/*.{config.source}")
    files = sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
    if not files and glob.has_magic(pattern):
        raise DataError(f"no file matches data.path {pattern}; correct the pattern")
    if not files:
        fix = "correct the path"
        if "://" in pattern:
            fix = "only files of this machine are read: download it, and name the file"
        elif pattern.startswith("~"):
            fix = "'~' is not read as your home: write the whole path"
        raise DataError(f"no file at data.path {pattern}; {fix}")
    empty = [name for name in files if Path(name).stat().st_size == 0]
    if empty:
        raise DataError(f"{empty[0]} is empty; remove it or give a file with documents")
    return files


def _rows(loading: dict[str, Any], origin: str, text_column: str, id_column: str) -> Iterator[Document]:
    """Stream documents by ``datasets.load_dataset(**loading)``; hub and local files go the same way."""
    import datasets  # on use: importing it takes a second that other sources need not pay

    with tempfile.TemporaryDirectory() as cache:  # streaming keeps nothing, and what it does keep is thrown away
        first = True
        try:
            stream = datasets.load_dataset(**loading, split="train", streaming=True, cache_dir=cache)
            for row in stream:
                if first:
                    _check_columns(row, origin, text_column, id_column)
                    first = False
                yield _document(row, origin, text_column, id_column)
        except DataError:
            raise
        except Exception as error:  # readers raise a great many types: arrow, json, network, codec
            cause, fix = _explained(error, loading)
            raise DataError(f"cannot read {origin}: {cause}; {fix}") from error


def _explained(error: Exception, loading: dict[str, Any]) -> tuple[str, str]:
    """What a reader's error means, and what to do."""
    cause = " ".join(str(error).split())[:200].rstrip(". ") or type(error).__name__
    for part, (words, fix) in EXPLAINED.items():
        if part in cause:
            return words or cause, fix
    if "data_files" not in loading:
        return cause, "check the name, the revision and the network"
    return cause, f"correct the file, or set data.source to its kind, which is no {loading['path']}"


def _check_columns(row: dict[str, Any], origin: str, text_column: str, id_column: str) -> None:
    for parameter, column in (("text_column", text_column), ("id_column", id_column)):
        if column and column not in row:
            there = ", ".join(sorted(map(repr, row)))[:200] or "none"
            meant = close(column, row)
            hint = f" (the nearest is {meant!r})" if meant is not None else ""
            raise DataError(
                f"{origin} has no column {column!r}{hint}; it has {there}: set data.{parameter} to one of them"
            )


def _document(row: dict[str, Any], origin: str, text_column: str, id_column: str) -> Document:
    text = row.get(text_column)
    if text is not None and not isinstance(text, str):
        raise DataError(
            f"column {text_column!r} of {origin} holds {type(text).__name__}, not text; set data.text_column to another"
        )
    if id_column:
        name = row.get(id_column)
        return Document(None if name is None else str(name), text)
    return Document(None if text is None else hashlib.sha256(text.encode()).hexdigest(), text)
