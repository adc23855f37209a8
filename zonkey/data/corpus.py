"""Reading a prepared corpus: documents as bytes through memory maps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from zonkey.config import fingerprint
from zonkey.data.errors import DataError

Split = Literal["train", "judge", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "judge", "validation", "test")


@dataclass(frozen=True)
class CorpusSummary:
    """What ``prepare`` wrote; stored as ``corpus.json``."""

    source: str
    seed: int
    documents: dict[str, int]  # by split
    bytes: dict[str, int]  # by split
    sha256: dict[str, str]  # of bytes and offsets, by split
    null: int  # skipped: no text or no id
    short: int  # skipped: fewer than min_bytes
    duplicate: int  # skipped: an id seen before
    cut: int  # kept, cut to max_bytes
    entropy: float | None  # bits per character of the source, where it is known
    entropy_error: float | None  # its standard error


class Corpus:
    """One split of a prepared corpus: documents as bytes, memory-mapped.

    Raises:
        DataError: ``folder`` holds no whole corpus, its files do not fit together, or there is no such split.
    """

    def __init__(self, folder: str | Path, split: str) -> None:
        folder = Path(folder)
        if split not in SPLITS:
            raise DataError(f"no split {split!r}; choose one of {', '.join(SPLITS)}")
        try:
            summary = CorpusSummary(**json.loads((folder / "corpus.json").read_text(encoding="utf-8")))
            self.offsets: np.ndarray = np.load(folder / f"{split}.index.npy", allow_pickle=False)
            self.data: np.ndarray = np.memmap(folder / f"{split}.bin", dtype=np.uint8, mode="r")
        except FileNotFoundError as error:
            raise DataError(f"no whole corpus in {folder}: {error.filename} is missing; run prepare") from None
        except (ValueError, TypeError, EOFError) as error:
            raise DataError(f"the {split} split in {folder} is damaged ({error}); run prepare again") from None
        if self.offsets[-1] != len(self.data) or len(self.offsets) - 1 != summary.documents[split]:
            raise DataError(f"the {split} split in {folder} is cut short or of another run; run prepare again")
        self.folder, self.split, self.summary = folder, split, summary
        self.fingerprint: str = fingerprint(split, summary.sha256[split])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> bytes:
        if not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        index %= len(self)
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def text(self, index: int) -> str:
        """Document ``index`` as a string."""
        return self[index].decode()

    @property
    def bytes(self) -> int:
        """The number of bytes of all documents."""
        return len(self.data)
