"""How much of a text is right, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class TextScore:
    """Texts compared with what they should be."""

    bytes: float  # share of all bytes that are right after optimal alignment
    exact: float  # share of texts that are right to the last byte
    texts: int


def similarity(truth: str, result: str) -> float:
    """Share of bytes right after optimal alignment: 1 - edit distance / length of the longer."""
    return Levenshtein.normalized_similarity(truth.encode(), result.encode())


def compare(truths: Sequence[str], results: Sequence[str]) -> TextScore:
    """Score all texts together: every byte counts the same, whichever text it stands in.

    Raises:
        ValueError: there is no text, or not one result for each truth.
    """
    if not truths or len(truths) != len(results):
        raise ValueError(f"{len(truths)} texts and {len(results)} results; give one result for each")
    wrong = total = exact = 0
    for truth, result in zip(truths, results, strict=True):
        one, other = truth.encode(), result.encode()
        wrong += Levenshtein.distance(one, other)
        total += max(len(one), len(other))
        exact += one == other
    return TextScore(1 - wrong / total if total else 1.0, exact / len(truths), len(truths))
