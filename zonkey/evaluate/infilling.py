"""Gaps cut from held-out texts, and how much of them comes back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zonkey.data import Corpus
from zonkey.evaluate.generation import READ_BYTES
from zonkey.generate import infill
from zonkey.model import Zonkey


@dataclass(frozen=True)
class Blank:
    """A piece of a text with a gap in it."""

    before: str
    truth: str
    after: str

    @property
    def marked(self) -> str:
        """The piece as ``infill`` takes it."""
        return f"{self.before}{{gap:{len(self.truth.encode())}}}{self.after}"


@dataclass(frozen=True)
class InfillScore:
    """Filled gaps of one length."""

    length: int  # bytes
    gaps: int
    bytes: float  # share of gap bytes right, place by place
    exact: float  # share of gaps right to the last byte
    baseline: float  # the share that one byte everywhere gets, the commonest of the training text


def blanks(texts: Sequence[str], length: int, count: int, seed: int, context: int = 64) -> list[Blank]:
    """``count`` gaps of ``length`` bytes at random places, with up to ``context`` characters on both sides.

    Gaps hold whole characters; a place where they do not add up to ``length`` bytes is not taken.

    Raises:
        ValueError: no gap of that length was found in ``100 * count`` draws.
    """
    draw = random.Random(f"{seed}/{length}")
    found: list[Blank] = []
    for _ in range(100 * count):
        if len(found) == count:
            break
        text = draw.choice(texts)
        start = draw.randrange(len(text))
        truth = text[start:].encode()[:length].decode(errors="ignore")
        end = start + len(truth)
        blank = Blank(text[max(start - context, 0) : start], truth, text[end : end + context])
        whole = len(truth.encode()) == length and len(truth) < len(text)
        if whole and "{gap" not in blank.before + blank.after:
            found.append(blank)
    if len(found) < count:
        raise ValueError(f"only {len(found)} gaps of {length} bytes found; ask for shorter ones, or give more text")
    return found


def fill(model: Zonkey, gaps: Sequence[Blank], steps: int | None = None, seed: int = 0) -> list[str]:
    """What the model puts into each gap."""
    filled = []
    for gap in gaps:
        text = infill(model, gap.marked, steps=steps, seed=seed)
        filled.append(text[len(gap.before) : len(text) - len(gap.after)])
    return filled


def commonest_byte(training: Corpus) -> int:
    """What a filler that knows nothing but the training text puts everywhere."""
    return int(np.bincount(training.data[:READ_BYTES]).argmax())


def infill_score(gaps: Sequence[Blank], filled: Sequence[str], commonest: int) -> InfillScore:
    """Score gaps of one length, beside the byte ``commonest`` everywhere.

    Raises:
        ValueError: there is no gap, or not one filling for each.
    """
    if not gaps or len(gaps) != len(filled):
        raise ValueError(f"{len(gaps)} gaps, {len(filled)} fillings; give one for each of at least one gap")
    truths = [gap.truth.encode() for gap in gaps]
    texts = [text.encode() for text in filled]
    right = sum(a == b for one, other in zip(truths, texts, strict=True) for a, b in zip(one, other, strict=False))
    total = sum(map(len, truths))
    same = b"".join(truths).count(commonest)
    exact = sum(gap.truth == text for gap, text in zip(gaps, filled, strict=True)) / len(gaps)
    return InfillScore(len(truths[0]), len(gaps), right / total, exact, same / total)
