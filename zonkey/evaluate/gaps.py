"""Texts with gaps for any model to fill, and how well they are filled: bytes, whole text, seams."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zonkey.evaluate.judge import Judge
from zonkey.evaluate.segmentation import space_starts

Place = Literal["middle", "start", "end", "several"]
PLACES: tuple[Place, ...] = ("middle", "start", "end", "several")
SEAM = 8  # bytes after a gap: where a filling that does not fit what follows shows
SEVERAL = 3  # gaps in one text


@dataclass(frozen=True)
class Masked:
    """A text with gaps: known pieces, and between each two of them as many unknown bytes."""

    known: tuple[bytes, ...]  # one more than gaps; the first and last are empty where a gap is at an end
    gaps: tuple[int, ...]  # bytes

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where the gaps lie: byte offsets of begin and end."""
        found, at = [], 0
        for piece, size in zip(self.known, self.gaps, strict=False):
            at += len(piece)
            found.append((at, at + size))
            at += size
        return tuple(found)

    def filled(self, fillings: Sequence[bytes]) -> bytes:
        """The whole text with these bytes in its gaps."""
        inner = zip(fillings, self.known[1:], strict=True)
        return self.known[0] + b"".join(filling + piece for filling, piece in inner)


@dataclass(frozen=True)
class Puzzle:
    """A text with gaps, and what it was."""

    masked: Masked
    truth: bytes


Filler = Callable[[Sequence[Masked]], list[bytes]]  # whole texts, known pieces in place


@dataclass(frozen=True)
class FillingScore:
    """Texts with gaps of one length at one place, filled in one way."""

    texts: int
    gaps: int
    bytes: float  # share of gap bytes right, place by place
    bytes_error: float  # its standard error over texts
    exact: float  # share of gaps right to the last byte
    bits: float  # the judge's, per byte of the whole text
    gap_bits: float  # per byte of the gaps
    seam_bits: float | None  # per byte of up to 8 known bytes after each gap; None where there are none


def puzzles(texts: Sequence[str], length: int, place: Place, count: int, seed: int, context: int = 64) -> list[Puzzle]:
    """``count`` pieces of texts with gaps of ``length`` bytes, from the begin of a text or the space before a word.

    A gap at an end leaves twice ``context`` known bytes on its other side, so that as much is known as around one in
    the middle; several are :data:`SEVERAL`, with ``context`` bytes before, between and after.

    Raises:
        ValueError: no text is long enough, or there is no such place.
    """
    if place not in PLACES:
        raise ValueError(f"place is {place!r}; choose one of {', '.join(PLACES)}")
    shapes = {
        "middle": ((context, context), (length,)),
        "start": ((0, 2 * context), (length,)),
        "end": ((2 * context, 0), (length,)),
        "several": ((context,) * (SEVERAL + 1), (length,) * SEVERAL),
    }
    sizes, gaps = shapes[place]
    total = sum(sizes) + sum(gaps)
    data = [(text.encode(), sorted(space_starts(text) | {0})) for text in texts if len(text.encode()) >= total]
    if not data:
        raise ValueError(f"no text of {total} bytes for gaps of {length}; give longer texts, or lower gap or context")
    draw = random.Random(f"{seed}/{place}/{length}")
    found = []
    for _ in range(count):
        whole, starts = draw.choice(data)
        start = draw.choice([at for at in starts if at + total <= len(whole)])
        found.append(_cut(whole[start : start + total], sizes, gaps))
    return found


def _cut(truth: bytes, sizes: Sequence[int], gaps: Sequence[int]) -> Puzzle:
    known, at = [], 0
    for size, gap in zip(sizes, (*gaps, 0), strict=True):
        known.append(truth[at : at + size])
        at += size + gap
    return Puzzle(Masked(tuple(known), tuple(gaps)), truth)


def filling_score(given: Sequence[Puzzle], filled: Sequence[bytes], judge: Judge) -> FillingScore:
    """Score whole texts against what they were.

    Raises:
        ValueError: there is no text, not one filled for each, or a filled one has lost what was known.
    """
    if not given or len(given) != len(filled):
        raise ValueError(f"{len(given)} texts with gaps, {len(filled)} filled; give one for each of at least one")
    for puzzle, text in zip(given, filled, strict=True):
        spans = puzzle.masked.spans
        if len(text) != len(puzzle.truth) or puzzle.masked.filled([text[a:b] for a, b in spans]) != text:
            raise ValueError(f"{text[:40]!r} does not hold what was known; fill gaps byte for byte, and nothing else")
    pairs = [
        [(puzzle.truth[a:b], text[a:b]) for a, b in puzzle.masked.spans]
        for puzzle, text in zip(given, filled, strict=True)
    ]
    shares = [
        statistics.fmean(one == other for pair in gaps for one, other in zip(*pair, strict=True)) for gaps in pairs
    ]
    exact = [truth == text for gaps in pairs for truth, text in gaps]
    bits = judge.bits(filled)
    within = [bits[row][a:b] for row, puzzle in enumerate(given) for a, b in puzzle.masked.spans]
    seams = [bits[row][a:b] for row, puzzle in enumerate(given) for a, b in _seams(puzzle)]
    return FillingScore(
        texts=len(given),
        gaps=len(exact),
        bytes=statistics.fmean(shares),
        bytes_error=statistics.stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else 0.0,
        exact=statistics.fmean(exact),
        bits=_mean(bits),
        gap_bits=_mean(within),
        seam_bits=_mean(seams) if seams else None,
    )


def filling_scores(given: Sequence[Puzzle], fillers: Mapping[str, Filler], judge: Judge) -> dict[str, FillingScore]:
    """The same texts filled in every way; errors as :func:`filling_score`."""
    masked = [puzzle.masked for puzzle in given]
    return {name: filling_score(given, filler(masked), judge) for name, filler in fillers.items()}


def _seams(puzzle: Puzzle) -> list[tuple[int, int]]:
    spans, ends = puzzle.masked.spans, len(puzzle.truth)
    follows = [begin for begin, _ in spans[1:]] + [ends]
    return [(end, min(end + SEAM, until)) for (_, end), until in zip(spans, follows, strict=True) if end < until]


def _mean(parts: Sequence[np.ndarray]) -> float:
    return float(sum(part.sum() for part in parts) / sum(map(len, parts)))
