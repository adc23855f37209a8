"""What metrics ask of the models that they measure with; ``zonkey.baselines`` has some that answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

Splitter = Callable[[bytes], Sequence[int]]  # sorted byte offsets at which the segments of a text begin, 0 first


class Judge(Protocol):
    """A byte-level language model that took no part in what it judges."""

    def bits(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """-log2 P of every byte given the bytes before it, (len(text),) for each text."""
        ...

    def features(self, texts: Sequence[bytes]) -> np.ndarray:
        """One vector for each text, (texts, D)."""
        ...


def bits_per_byte(judge: Judge, texts: Sequence[bytes]) -> float | None:
    """All bits over all bytes; empty texts do not count, and None is the answer if all are empty."""
    written = [text for text in texts if text]
    if not written:
        return None
    return float(sum(bits.sum() for bits in judge.bits(written)) / sum(map(len, written)))
