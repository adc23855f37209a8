"""What of a text comes back: bytes, whole segments, by script; and what it costs to keep."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from zonkey.evaluate.round_trip import noise_curve
from zonkey.evaluate.text import compare
from zonkey.model import Zonkey
from zonkey.text import Segmentation

NO_SCRIPT = "none"  # of a text without letters


@dataclass(frozen=True)
class Fidelity:
    """Texts held against what came back of them."""

    texts: int
    bytes: float  # share right after optimal alignment
    exact: float  # share of texts right to the last byte
    segments: float  # share of segments right to the last byte
    count: int  # of segments


@dataclass(frozen=True)
class LevelFidelity:
    """One level: up to it and down again."""

    level: int
    floats_per_byte: float  # numbers (of 4 bytes) in the level's vectors
    noise: dict[float, Fidelity]  # by noise level of its vectors
    scripts: dict[str, Fidelity]  # without noise, by the texts' script


def level_fidelity(
    model: Zonkey, texts: Sequence[str], level: int, noises: Sequence[float], seed: int = 0
) -> LevelFidelity:
    """Texts up to ``level``, noised, and down; noise 0 is always measured.

    Raises:
        ValueError: as :func:`zonkey.evaluate.noise_curve`.
    """
    level = model.check_level(level)
    curve = noise_curve(model, texts, level, sorted({0.0, *noises}), seed)
    cut = [model.segment(text) for text in texts]
    starts = [one.levels[level].starts for one in cut]
    clean = curve[0].results
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(script(text), []).append(row)
    scripts = {
        name: fidelity_score([texts[row] for row in rows], [clean[row] for row in rows], [starts[row] for row in rows])
        for name, rows in sorted(groups.items())
    }
    noise = {one.noise: fidelity_score(texts, one.results, starts) for one in curve}
    return LevelFidelity(level, floats_per_byte(model, cut, level), noise, scripts)


def fidelity_score(texts: Sequence[str], results: Sequence[str], starts: Sequence[Sequence[int]]) -> Fidelity:
    """Score results of texts whose segments begin at byte offsets ``starts``.

    Raises:
        ValueError: there is no text, or not one result and one list of segments for each.
    """
    score = compare(texts, results)
    right = sum(
        segments_right(text.encode(), result.encode(), begins)
        for text, result, begins in zip(texts, results, starts, strict=True)
    )
    count = sum(map(len, starts))
    return Fidelity(score.texts, score.bytes, score.exact, right / max(count, 1), count)


def segments_right(truth: bytes, result: bytes, starts: Sequence[int]) -> int:
    """How many segments of ``truth`` stand in ``result`` to the last byte, in one piece of an optimal alignment."""
    equal = [(op.src_start, op.src_end) for op in Levenshtein.opcodes(truth, result) if op.tag == "equal"]
    begins = [begin for begin, _ in equal]
    right = 0
    for start, end in pairwise([*starts, len(truth)]):
        at = bisect_right(begins, start) - 1
        right += at >= 0 and end <= equal[at][1]
    return right


def floats_per_byte(model: Zonkey, segmentations: Sequence[Segmentation], level: int) -> float:
    """Numbers in the vectors of ``level`` for each byte of text: C x D for every segment.

    Raises:
        ValueError: there is no segmentation.
    """
    if not segmentations:
        raise ValueError("give at least one segmentation")
    shape = model.levels[level].config
    segments = sum(len(one.levels[level].starts) for one in segmentations)
    return segments * shape.vectors * shape.width / sum(len(one.text.encode()) for one in segmentations)


def script(text: str) -> str:
    """The script that most letters of a text are of, as their Unicode names begin: ``latin``, ``hangul``, ``cjk``."""
    counts = Counter(unicodedata.name(letter, NO_SCRIPT).split()[0].lower() for letter in text if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else NO_SCRIPT
