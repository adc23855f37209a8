"""Ways to split text, held against words and sentences and against random cuts of the same number."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zonkey.config import DataConfig
from zonkey.data import encyclopedia
from zonkey.evaluate.interval import f1_interval
from zonkey.evaluate.judge import Splitter
from zonkey.evaluate.segmentation import Match, match, sentence_starts, tally, word_starts
from zonkey.model import Zonkey

DRAWS = 5  # random splits that chance is the score of
SHORTEST = 2  # bytes that a model can split
KEPT = 4096  # texts whose segmentation is remembered: each level asks for the same


@dataclass(frozen=True)
class Boundaries:
    """Where words and sentences of texts begin: byte offsets, a set for each text."""

    words: tuple[frozenset[int], ...]
    sentences: tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Agreement:
    """Segment begins against boundaries of one kind."""

    exact: Match
    near: Match  # within one byte
    low: float | None  # exact F1, lower end of 95% over texts; None of a single text
    high: float | None
    near_low: float | None
    near_high: float | None
    chance: float  # exact F1 of random cuts, as many in each text
    near_chance: float
    lift: float  # exact F1 over chance
    near_lift: float
    ceiling: float  # F1 of the best cuts, as many in each text


@dataclass(frozen=True)
class SplitterScore:
    """One way to split, on all texts."""

    bytes_per_segment: float
    words: Agreement
    sentences: Agreement


def found_boundaries(texts: Sequence[str]) -> Boundaries:
    """Words and sentences as simple rules find them, in any text."""
    words = tuple(frozenset(word_starts(text)) for text in texts)
    return Boundaries(words, tuple(frozenset(sentence_starts(text)) for text in texts))


def true_boundaries(texts: Sequence[str], data: DataConfig) -> Boundaries | None:
    """Words and sentences as the built-in corpus wrote them; None for another source.

    Raises:
        ValueError: a text is not a whole article of this corpus.
    """
    if data.source != "encyclopedia" or data.documents is None:
        return None
    wanted = set(texts)
    written = {one.text: one for one in encyclopedia.articles(data.documents, data.seed) if one.text in wanted}
    if len(written) < len(wanted):
        missing = next(text for text in texts if text not in written)
        raise ValueError(f"{missing[:40]!r} begins no article of this corpus; give whole documents and its parameters")
    words = tuple(frozenset(written[text].words) for text in texts)
    return Boundaries(words, tuple(frozenset(written[text].sentences) for text in texts))


def zonkey_splitters(model: Zonkey) -> dict[str, Splitter]:
    """One splitter for each level, named ``zonkey_level0`` and on; upper levels are mapped down to bytes."""
    segment = functools.lru_cache(KEPT)(model.segment)

    def split(text: bytes, level: int) -> Sequence[int]:
        if len(text) < SHORTEST:
            return (0,) if text else ()
        return segment(text.decode()).levels[level].starts

    return {f"zonkey_level{level}": functools.partial(split, level=level) for level in range(len(model.levels))}


def cuts_of(splitter: Splitter, texts: Sequence[bytes]) -> list[frozenset[int]]:
    """Where segments begin in every text.

    Raises:
        ValueError: a text does not begin with a segment, or offsets are not sorted or lie outside of it.
    """
    found = []
    for text in texts:
        starts = list(splitter(text))
        if text and (starts[:1] != [0] or starts[-1] >= len(text) or starts != sorted(set(starts))):
            raise ValueError(f"segments of {text[:30]!r} begin at {starts[:5]}...; give sorted offsets in it, 0 first")
        found.append(frozenset(starts))
    return found


def splitter_scores(
    splitters: Mapping[str, Splitter], texts: Sequence[bytes], truth: Boundaries, seed: int = 0
) -> dict[str, SplitterScore]:
    """Every splitter against the same words and sentences.

    Raises:
        ValueError: there is no text, not one set of boundaries for each, or a splitter's offsets make no sense.
    """
    if not any(texts) or not len(texts) == len(truth.words) == len(truth.sentences):
        raise ValueError(f"{len(texts)} texts, boundaries of {len(truth.words)}; give them for each of at least one")
    scores = {}
    for name, splitter in splitters.items():
        cuts = cuts_of(splitter, texts)
        random = random_cuts([len(text) for text in texts], [len(one) for one in cuts], seed)
        words, sentences = (agreement(cuts, one, random, seed) for one in (truth.words, truth.sentences))
        scores[name] = SplitterScore(sum(map(len, texts)) / sum(map(len, cuts)), words, sentences)
    return scores


def off_rate(rates: Mapping[str, float], wanted: float, within: float) -> dict[str, float]:
    """Those of ``rates`` (bytes per segment, by splitter) that are more than the share ``within`` off the wanted one.

    Who cuts more often hits more: these cannot be compared with what cuts at that rate.
    """
    return {name: rate for name, rate in rates.items() if abs(rate / wanted - 1) > within}


def agreement(
    cuts: Sequence[frozenset[int]],
    truth: Sequence[frozenset[int]],
    random: Sequence[Sequence[frozenset[int]]],
    seed: int = 0,
) -> Agreement:
    """Cuts of texts against boundaries; ``random`` holds a random split of all texts for every draw.

    Intervals are :func:`zonkey.evaluate.interval.f1_interval`'s, drawn from ``seed``.
    """
    exact, near = match(cuts, truth), match(cuts, truth, tolerance=1)
    pooled = [one for draw in random for one in draw]
    chance, close = (match(pooled, [*truth] * len(random), tolerance).f1 for tolerance in (0, 1))
    low, high, near_low, near_high = (
        bound for tolerance in (0, 1) for bound in f1_interval(tally(cuts, truth, tolerance), seed) or (None, None)
    )
    return Agreement(
        exact=exact,
        near=near,
        low=low,
        high=high,
        near_low=near_low,
        near_high=near_high,
        chance=chance,
        near_chance=close,
        lift=_ratio(exact.f1, chance),
        near_lift=_ratio(near.f1, close),
        ceiling=_ceiling(cuts, truth),
    )


def random_cuts(sizes: Sequence[int], counts: Sequence[int], seed: int) -> list[list[frozenset[int]]]:
    """Random splits of texts of ``sizes`` bytes into ``counts`` segments, :data:`DRAWS` times over."""
    draw = np.random.default_rng(seed)
    return [[_random(draw, *text) for text in zip(sizes, counts, strict=True)] for _ in range(DRAWS)]


def _ceiling(cuts: Sequence[frozenset[int]], truth: Sequence[frozenset[int]]) -> float:
    ours, theirs, _ = tally(cuts, truth).T
    return float(2 * np.minimum(ours, theirs).sum() / max(ours.sum() + theirs.sum(), 1))


def _random(draw: np.random.Generator, size: int, count: int) -> frozenset[int]:
    inner = 1 + draw.choice(max(size - 1, 0), max(count - 1, 0), replace=False)
    return frozenset([0, *inner.tolist()])


def _ratio(value: float, chance: float) -> float:
    return value / chance if chance else 0.0
