"""Writing a corpus: one file of bytes and one index of offsets for each split, read through memory maps.

``folder/{train,judge,validation,test}.bin`` holds the documents' UTF-8 bytes one after another,
``{split}.index.npy`` the (n + 1,) int64 offsets between them, and ``corpus.json`` the summary. A document's
split follows from a hash of its id, so splits never share a document, whatever their order or number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from array import array
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zonkey.config import DataConfig
from zonkey.config.data import LEAST_BYTES
from zonkey.data import encyclopedia
from zonkey.data.corpus import SPLITS, CorpusSummary, Split
from zonkey.data.errors import DataError
from zonkey.data.progress import Progress
from zonkey.data.sources import Document, documents
from zonkey.files import write_beside

_log = logging.getLogger(__name__)


def prepare(config: DataConfig, folder: str | Path) -> CorpusSummary:
    """Read the source, skip, cut and count, split by document and write the corpus into ``folder``.

    Documents without text or id, shorter than ``min_bytes`` or of an id seen before are skipped; longer than
    ``max_bytes`` are cut where a character begins. ``documents`` bounds how many are kept. Files are written
    beside and renamed, the summary last, so a folder with ``corpus.json`` is whole.

    Raises:
        DataError: the source cannot be read, the corpus is empty, a split is left without documents, or the
            disk is full.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Writer(folder) as writer:
            tally = _fill(writer, config, documents(config))
            _check(writer, tally, config)
            known = config.source in encyclopedia.SOURCES
            entropy = encyclopedia.entropy_per_character(source=config.source) if known else None
            summary = CorpusSummary(
                source=config.source,
                seed=config.seed,
                documents=writer.documents(),
                bytes=writer.bytes(),
                sha256=writer.publish(),
                entropy=entropy.bits_per_character if entropy else None,
                entropy_error=entropy.standard_error if entropy else None,
                **dataclasses.asdict(tally),
            )
        write_beside(folder / "corpus.json", json.dumps(dataclasses.asdict(summary), indent=2) + "\n")
    except OSError as error:
        where = error.filename or folder
        raise DataError(f"cannot write the corpus: {where}: {error.strerror or error}; free or choose space") from error
    _log.info("corpus: %s documents, %s bytes (%s)", summary.documents, summary.bytes, summary.source)
    return summary


@dataclass
class _Tally:
    null: int = 0
    short: int = 0
    duplicate: int = 0
    cut: int = 0


@dataclass
class Writer:
    """The splits being written, under other names until :meth:`publish`."""

    folder: Path
    offsets: dict[str, array[int]] = field(default_factory=lambda: {split: array("q", [0]) for split in SPLITS})

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            self.files = {split: stack.enter_context(open(self._beside(f"{split}.bin"), "wb")) for split in SPLITS}
            self.stack = stack.pop_all()
        self.digests = {split: hashlib.sha256() for split in SPLITS}
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk was reported already, or the files are published
            self.stack.close()
        for split in SPLITS:
            self._beside(f"{split}.bin").unlink(missing_ok=True)
            self._beside(f"{split}.index.npy").unlink(missing_ok=True)

    def add(self, split: Split, data: bytes) -> None:
        """Append a document."""
        self.files[split].write(data)
        self.digests[split].update(data)
        self.offsets[split].append(self.offsets[split][-1] + len(data))

    def documents(self) -> dict[str, int]:
        """How many there are in each split."""
        return {split: len(self.offsets[split]) - 1 for split in SPLITS}

    def bytes(self) -> dict[str, int]:
        """Of all documents of each split."""
        return {split: self.offsets[split][-1] for split in SPLITS}

    def publish(self) -> dict[str, str]:
        """Give the files their names; returns the splits' digests."""
        for split in SPLITS:
            index = np.array(self.offsets[split], dtype=np.int64)
            self.digests[split].update(index.tobytes())
            with open(self._beside(f"{split}.index.npy"), "wb") as file:
                np.save(file, index, allow_pickle=False)
            self.files[split].close()
        (self.folder / "corpus.json").unlink(missing_ok=True)  # from here until it is written again, not whole
        for name in (f"{split}.{end}" for split in SPLITS for end in ("bin", "index.npy")):
            os.replace(self._beside(name), self.folder / name)
        return {split: self.digests[split].hexdigest() for split in SPLITS}

    def _beside(self, name: str) -> Path:
        return self.folder / f".{name}.partial"


def split_of(name: str, config: DataConfig) -> Split:
    """The split of the document with id ``name``: a function of it, the seed and the fractions only."""
    digest = hashlib.sha256(f"{config.seed}:{name}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < config.test:
        return "test"
    if place < config.test + config.validation:
        return "validation"
    return "judge" if place < config.test + config.validation + config.judge else "train"


def _fill(writer: Writer, config: DataConfig, source: Iterable[Document]) -> _Tally:
    tally = _Tally()
    seen: set[int] = set()  # 64 bits of each id's hash: a few hundred megabytes for all of Wikipedia
    progress = Progress("prepare", "documents", config.documents)
    for document in source:
        if document.id is None or document.text is None:
            tally.null += 1
            continue
        data = document.text.encode()
        if len(data) < config.min_bytes:
            tally.short += 1
            continue
        digest = int.from_bytes(hashlib.sha256(document.id.encode()).digest()[:8], "big")
        if digest in seen:
            tally.duplicate += 1
            continue
        seen.add(digest)
        tally.cut += len(data) > config.max_bytes
        writer.add(split_of(document.id, config), cut_text(data, config.max_bytes))
        progress.update(len(seen))
        if len(seen) == config.documents:
            break
    return tally


def cut_text(data: bytes, limit: int) -> bytes:
    """At most ``limit`` bytes of UTF-8 text, cut where a character begins if there is such a place."""
    if len(data) <= limit:
        return data
    end = limit
    while end > 0 and data[end] & 0xC0 == 0x80:  # a continuation byte: the character began earlier
        end -= 1
    return data[: end or limit]


def _check(writer: Writer, tally: _Tally, config: DataConfig) -> None:
    counts = writer.documents()
    total = sum(counts.values())
    if not total:
        fixes = ["give other documents"]
        fixes += ["set data.text_column and data.id_column to columns that are filled"] * bool(tally.null)
        fixes += ["lower data.min_bytes"] * bool(tally.short and config.min_bytes > LEAST_BYTES)
        why = [f"{tally.null} documents without text or id"] * bool(tally.null)
        why += [f"{tally.short} documents shorter than {config.min_bytes} bytes"] * bool(tally.short)
        raise DataError(
            f"the corpus from {config.path or config.source} is empty ({' and '.join(why) or 'no documents'});"
            f" {', or '.join(fixes)}"
        )
    again = f", {tally.duplicate} more have an id that came before" if tally.duplicate else ""
    fix = ", or set data.id_column to a column whose values differ" if tally.duplicate else ""
    for split, count in counts.items():
        if not count:
            raise DataError(
                f"the {split} split is left without documents ({total} in all{again}, judge is {config.judge:g},"
                f" validation {config.validation:g}, test {config.test:g}); give more documents or change the"
                f" fractions{fix}"
            )
