"""How varied texts are, how alike in their lengths, and how much of them is copied."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydivsufsort import divsufsort
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.spatial.distance import jensenshannon


@dataclass(frozen=True)
class TextIndex:
    """A text whose every piece is found at once."""

    data: bytes
    suffixes: np.ndarray  # where they begin, in the order of what they say, (len(data),)


def index_text(data: bytes | np.ndarray) -> TextIndex:
    """Sort the suffixes of a text (a byte string, or an array of uint8).

    Raises:
        ValueError: the text is empty.
    """
    if not len(data):
        raise ValueError("the text to index is empty; give the training text")
    text = data if isinstance(data, bytes) else data.tobytes()
    return TextIndex(text, divsufsort(np.frombuffer(text, dtype=np.uint8).copy()))


def longest_copy(index: TextIndex, text: bytes) -> int:
    """Bytes of the longest piece of ``text`` that stands in the indexed text to the letter."""
    best = 0
    for start in range(len(text)):
        wanted = text[start:]
        if len(wanted) <= best:
            break
        size = len(wanted)
        at = bisect_left(index.suffixes, wanted, key=lambda place: index.data[place : place + size])
        for place in index.suffixes[max(at - 1, 0) : at + 1]:  # what is most alike stands beside it
            best = max(best, _common(wanted, index.data[place : place + size]))
    return best


def distinct(texts: Iterable[Sequence[Hashable]], n: int) -> float | None:
    """Different n-grams over all n-grams (distinct-n); None where no text has ``n`` items.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}; an n-gram has at least 1 item")
    counts = Counter(tuple(text[at : at + n]) for text in texts for at in range(len(text) - n + 1))
    return len(counts) / counts.total() if counts else None


def nearest(texts: Sequence[str]) -> list[float]:
    """Of every text, how similar it is to the one of the others that is most like it; nothing of fewer than two.

    Similarity is 1 minus the edit distance over the length of the longer, in characters: 1 is the same text.
    """
    if len(texts) < 2:
        return []
    alike = cdist(texts, texts, scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    np.fill_diagonal(alike, -1.0)
    return alike.max(axis=1).tolist()


def jensen_shannon(one: Iterable[int], other: Iterable[int]) -> float | None:
    """Jensen-Shannon distance (base 2) of two samples of whole numbers: 0 alike, 1 disjoint; None if one is empty."""
    first, second = Counter(one), Counter(other)
    if not first or not second:
        return None
    values = sorted({*first, *second})
    return float(jensenshannon(*([counts[value] for value in values] for counts in (first, second)), base=2))


def _common(one: bytes, other: bytes) -> int:
    """Length of the longest common beginning."""
    shortest = min(len(one), len(other))
    different = np.frombuffer(one, np.uint8, shortest) != np.frombuffer(other, np.uint8, shortest)
    return int(different.argmax()) if different.any() else shortest
