"""A part of a corpus: a little training text, the other splits whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from zonkey.data.corpus import SPLITS, Corpus, CorpusSummary
from zonkey.data.errors import DataError
from zonkey.data.shards import Writer, cut_text
from zonkey.files import write_beside

CHARACTER = 4  # bytes that a character takes at most


def take(corpus: Path, size: int, folder: Path) -> CorpusSummary:
    """Write into ``folder`` the corpus with no more than the first ``size`` bytes of its training text.

    The last document is cut where a character begins, so up to three bytes may be missing.

    Raises:
        DataError: ``size`` is below 4, or there is not as much training text.
    """
    train = Corpus(corpus, "train")
    if not CHARACTER <= size <= train.bytes:
        raise DataError(
            f"{size} bytes of training text are wanted, and {corpus} holds {train.bytes}; give {CHARACTER} to as many"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with Writer(folder) as writer:
        left, index = size, 0
        while left >= CHARACTER and index < len(train):
            piece = cut_text(train[index], left)
            writer.add("train", piece)
            left, index = left - len(piece), index + 1
        for split in SPLITS[1:]:
            whole = Corpus(corpus, split)
            for index in range(len(whole)):
                writer.add(split, whole[index])
        summary = dataclasses.replace(
            train.summary, documents=writer.documents(), bytes=writer.bytes(), sha256=writer.publish()
        )
    write_beside(folder / "corpus.json", json.dumps(dataclasses.asdict(summary), indent=2) + "\n")
    return summary
