"""Where a model cuts, held against words and sentences that it was never told of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zonkey.text import Segmentation

WORD = re.compile(r"\w+(?:['’.,-]\w+)*")
SENTENCE = re.compile(r"(?:\A\s*|[.!?][\"'”’)\]]*\s+|\n\s*)(?=\S)")
SENTENCE_END = re.compile(r"[.!?](?=[\"'”’)\]]*(?:\s|\Z))")
NEAR = 1  # bytes: a cut at the space before a word is as good as one behind it
SURE = 0.1  # a begin probability below this, or above 1 minus this, is decided

# Kinds of position, from what the text says there; a position may be of several kinds.
KINDS = (
    "after_space",  # the byte before is whitespace
    "word_start",
    "sentence_start",
    "sentence_end",  # the mark itself
    "after_full_stop",  # the byte after a sentence's full stop, usually a space
    "inside_word",  # a word's byte, but not its first
    "space",
    "digit",
    "inside_character",  # continues a UTF-8 character
    "elsewhere",  # neither after a space nor at a sentence's end
)


@dataclass(frozen=True)
class Match:
    """Cuts held against true boundaries."""

    precision: float  # share of cuts at a boundary
    recall: float  # share of boundaries with a cut
    f1: float


@dataclass(frozen=True)
class LevelReport:
    """How one level cuts many texts. The first position of a text always begins: it is not in the rates."""

    begin_rate: float  # mean begin probability
    decided: float  # share of begin probabilities below 0.1 or above 0.9
    bytes_per_segment: float
    positions_per_segment: float  # in positions of this level: bytes at level 0
    begin_probability: dict[str, float]  # mean by kind of position, where it occurs
    words: Match  # cuts against word starts
    words_near: Match  # the same, within one byte
    spaces: Match  # cuts against the spaces before words
    sentences: Match  # cuts against sentence starts
    sentences_near: Match  # the same, within one byte


def level_report(segmentations: Sequence[Segmentation], level: int) -> LevelReport:
    """Sums over all texts, then ratios.

    Raises:
        ValueError: there is no segmentation, or it has no such level.
    """
    if not segmentations or not 0 <= level < len(segmentations[0].levels):
        raise ValueError(f"no segmentation of level {level}; give at least one text and a level of the model")
    sums: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    counts = Counter[str]()
    size = positions = segments = decided = seen = 0
    rate = 0.0
    cuts: list[set[int]] = []
    texts = [one.text for one in segmentations]
    for text, found in zip(texts, (one.levels[level] for one in segmentations), strict=True):
        kinds = kinds_of(text)
        for offset, b in zip(found.offsets[1:], found.probabilities[1:], strict=True):
            rate, decided, seen = rate + b, decided + (min(b, 1 - b) < SURE), seen + 1
            for kind in kinds[offset]:
                sums[kind] += b
                counts[kind] += 1
        size, positions = size + len(text.encode()), positions + len(found.offsets)
        segments += len(found.starts)
        cuts.append(set(found.starts))
    return LevelReport(
        begin_rate=rate / max(seen, 1),
        decided=decided / max(seen, 1),
        bytes_per_segment=size / segments,
        positions_per_segment=positions / segments,
        begin_probability={kind: sums[kind] / counts[kind] for kind in KINDS if counts[kind]},
        words=match(cuts, map(word_starts, texts)),
        words_near=match(cuts, map(word_starts, texts), NEAR),
        spaces=match(cuts, map(space_starts, texts)),
        sentences=match(cuts, map(sentence_starts, texts)),
        sentences_near=match(cuts, map(sentence_starts, texts), NEAR),
    )


def match(found: Iterable[Set[int]], true: Iterable[Set[int]], tolerance: int = 0) -> Match:
    """Cuts of many texts against boundaries, at most ``tolerance`` bytes away; offset 0 does not count.

    A cut is paired with one boundary and a boundary with one cut, as many pairs as can be. With a tolerance of one
    byte, a segment that begins at the space before a word counts as beginning at the word.
    """
    cuts, bounds, hits = tally(found, true, tolerance).sum(axis=0).tolist()
    precision, recall = hits / max(cuts, 1), hits / max(bounds, 1)
    both = precision + recall
    return Match(precision, recall, 2 * precision * recall / both if both else 0.0)


def tally(found: Iterable[Set[int]], true: Iterable[Set[int]], tolerance: int = 0) -> np.ndarray:
    """Cuts, boundaries and pairs of each text, as :func:`match` counts them: (texts, 3) int64."""
    rows = []
    for one, other in zip(found, true, strict=True):
        ours, theirs = sorted(one - {0}), sorted(other - {0})
        rows.append((len(ours), len(theirs), _pairs(ours, theirs, tolerance)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def segment_lengths(segmentations: Iterable[Segmentation], level: int) -> dict[int, int]:
    """How many segments of each length in bytes there are, shortest first."""
    counts: Counter[int] = Counter()
    for one in segmentations:
        ends = (*one.levels[level].starts, len(one.text.encode()))
        counts.update(end - start for start, end in pairwise(ends))
    return dict(sorted(counts.items()))


def kinds_of(text: str) -> list[tuple[str, ...]]:
    """The kinds of every byte, in the order of :data:`KINDS`."""
    data = text.encode()
    starts, sentences, ends = word_starts(text), sentence_starts(text), _offsets(text, SENTENCE_END)
    stops = {at for at in ends if data[at] == ord(".")}
    words = _covered(text, WORD)
    spaces = _covered(text, re.compile(r"\s"))
    digits = _covered(text, re.compile(r"\d"))
    found = []
    for at, byte in enumerate(data):
        after = at - 1 in spaces and at not in spaces
        marks = (
            after,
            at in starts,
            at in sentences,
            at in ends,
            at - 1 in stops,
            at in words and at not in starts,
            at in spaces,
            at in digits,
            byte & 0xC0 == 0x80,
            not after and at not in ends,
        )
        found.append(tuple(kind for kind, holds in zip(KINDS, marks, strict=True) if holds))
    return found


def word_starts(text: str) -> set[int]:
    """Byte offsets where words and numbers begin."""
    return _offsets(text, WORD)


def space_starts(text: str) -> set[int]:
    """Byte offsets where runs of whitespace begin: a cut there leaves the space with the word after it."""
    return _offsets(text, re.compile(r"\s+"))


def sentence_starts(text: str) -> set[int]:
    """Byte offsets where sentences, headings and list items begin."""
    at = _byte_offsets(text)
    return {at[found.end()] for found in SENTENCE.finditer(text)}


def _pairs(ours: Sequence[int], theirs: Sequence[int], tolerance: int) -> int:
    """The most pairs at most ``tolerance`` apart; both are sorted, so taking the first that fits is best."""
    at = pairs = 0
    for cut in ours:
        while at < len(theirs) and theirs[at] < cut - tolerance:
            at += 1
        if at < len(theirs) and theirs[at] <= cut + tolerance:
            at, pairs = at + 1, pairs + 1
    return pairs


def _offsets(text: str, pattern: re.Pattern[str]) -> set[int]:
    at = _byte_offsets(text)
    return {at[found.start()] for found in pattern.finditer(text)}


def _covered(text: str, pattern: re.Pattern[str]) -> set[int]:
    at = _byte_offsets(text)
    return {byte for found in pattern.finditer(text) for byte in range(at[found.start()], at[found.end()])}


def _byte_offsets(text: str) -> Sequence[int]:
    if text.isascii():
        return range(len(text) + 1)
    at = [0]
    for character in text:
        at.append(at[-1] + len(character.encode()))
    return at
