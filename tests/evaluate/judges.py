"""A judge that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np


class Unigram:
    """1 bit for an a, 2 for a b, 3 for a space, 8 for any other byte, whatever precedes it."""

    BITS: ClassVar = {ord("a"): 1.0, ord("b"): 2.0, ord(" "): 3.0}

    def bits(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        assert all(texts), "no empty text is judged"
        return [np.array([self.BITS.get(byte, 8.0) for byte in text]) for text in texts]

    def features(self, texts: Sequence[bytes]) -> np.ndarray:
        return np.array([[len(text), text.count(b"a")] for text in texts], dtype=float)
