"""Texts in memory with documents as long as those that a profile trains on, and how much of them training reads."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zonkey.config import Config, StageConfig
from zonkey.data import Corpus, encyclopedia
from zonkey.fit import bytes_read

# Bytes of a document that this percentage of 26,037 English Wikipedia articles does not exceed.
WIKIPEDIA = {0: 200, 1: 208, 5: 239, 25: 480, 50: 1014, 75: 2205, 95: 6708, 99: 15622, 100: 65536}
STEPS = 2000  # of a stage; longer ones read the same in every step


class Memory(Corpus):
    """A corpus in memory."""

    def __init__(self, texts: list[bytes]) -> None:
        self.data = np.frombuffer(b"".join(texts), dtype=np.uint8)
        self.offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        self.split, self.folder = "train", "memory"


def like(config: Config, documents: int = 1000) -> Memory:
    """What ``config`` trains on: articles of the built-in grammar, or letters as long as Wikipedia's articles."""
    if config.data.source == "encyclopedia":
        return Memory([article.text.encode() for article in encyclopedia.articles(documents, seed=0)])
    at = np.linspace(0, 100, documents)
    sizes = np.exp(np.interp(at, list(WIKIPEDIA), np.log(list(WIKIPEDIA.values()))))
    return Memory([b"a" * int(size) for size in sizes])


def text_read(stages: Iterable[StageConfig], text: Corpus, seed: int) -> float:
    """Bytes that stages read."""
    total = 0.0
    for stage in stages:
        steps = min(stage.steps, STEPS)
        total += bytes_read(text, stage.model_copy(update={"steps": steps}), seed) * stage.steps / steps
    return total
