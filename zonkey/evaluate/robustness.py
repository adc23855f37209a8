"""Damaged text: what happens to boundaries and to reconstruction.

Damage is done to characters, so that the text stays text; in ASCII these are bytes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from rapidfuzz.distance import Levenshtein

from zonkey.evaluate.judge import Splitter
from zonkey.evaluate.round_trip import reconstruction
from zonkey.evaluate.segmentation import match
from zonkey.evaluate.splitting import cuts_of
from zonkey.evaluate.text import compare
from zonkey.model import Zonkey

DAMAGES = ("drop", "double", "swap", "replace", "case")
PRINTABLE = [chr(code) for code in range(32, 127)]


@dataclass(frozen=True)
class Damaged:
    """A text with errors."""

    text: str
    origin: tuple[int, ...]  # of every byte of the text, the byte offset in the clean one that it stands for
    hits: int  # errors made


@dataclass(frozen=True)
class Shift:
    """How boundaries of damaged texts, mapped back, agree with those of the clean ones."""

    f1: float  # exact
    near_f1: float  # within one byte
    precision: float  # exact
    recall: float
    edits: float  # segments inserted, deleted or replaced, for each of the clean texts' segments


@dataclass(frozen=True)
class Recovery:
    """Damaged texts up to a level and down again."""

    bytes: float  # share of the damaged texts' bytes that come back
    change: float  # of that share, to the clean texts'
    clean_bytes: float  # share of the clean texts' bytes that stand in what comes back


def damage(text: str, kind: str, rate: float, seed: int) -> Damaged:
    """Hit each character with probability ``rate``.

    ``drop`` leaves it out, ``double`` writes it twice, ``swap`` exchanges it with the next, ``replace`` puts another
    printable ASCII character in its place, ``case`` flips it (letters only, where the flipped one is one letter, too).

    Of swapped characters each stands for the place it has moved to; of doubled ones both for the one they were.

    Raises:
        ValueError: no such kind, or a rate outside [0, 1].
    """
    if kind not in DAMAGES:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(DAMAGES)}")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}; it must lie between 0 and 1")
    draw = random.Random(f"{seed}/{kind}/{rate}/{text}")
    out: list[tuple[str, int]] = []  # characters and the clean character that each stands for
    hits = at = 0
    while at < len(text):
        hit = draw.random() < rate and _can(text, at, kind)
        hits += hit
        written = _hit(text, at, kind, draw) if hit else text[at]
        if hit and kind == "swap":
            out += [(written[0], at), (written[1], at + 1)]
            at += 2
            continue
        out += [(letter, at) for letter in written]
        at += 1
    starts = [0, *accumulate(len(letter.encode()) for letter in text)]
    origin = tuple(min(starts[place] + k, starts[place + 1] - 1) for c, place in out for k in range(len(c.encode())))
    return Damaged("".join(letter for letter, _ in out), origin, hits)


def boundary_shift(splitter: Splitter, clean: Sequence[str], damaged: Sequence[Damaged]) -> Shift:
    """Where a splitter cuts damaged texts, against where it cuts the clean ones.

    Raises:
        ValueError: there is no text, not one damaged for each, or the splitter's offsets make no sense.
    """
    if not clean or len(clean) != len(damaged):
        raise ValueError(f"{len(clean)} clean texts, {len(damaged)} damaged; give one for each of at least one")
    before, after = [text.encode() for text in clean], [one.text.encode() for one in damaged]
    was, now = cuts_of(splitter, before), cuts_of(splitter, after)
    back = [{one.origin[at] for at in cuts} for one, cuts in zip(damaged, now, strict=True)]
    exact, near = match(back, was), match(back, was, tolerance=1)
    edits = sum(
        Levenshtein.distance(_segments(one, first), _segments(other, second))
        for one, first, other, second in zip(before, was, after, now, strict=True)
    )
    return Shift(exact.f1, near.f1, exact.precision, exact.recall, edits / max(sum(map(len, was)), 1))


def boundary_shifts(
    splitters: Mapping[str, Splitter], clean: Sequence[str], damaged: Sequence[Damaged]
) -> dict[str, Shift]:
    """The same damage to every splitter; errors as :func:`boundary_shift`."""
    return {name: boundary_shift(splitter, clean, damaged) for name, splitter in splitters.items()}


def recovery(model: Zonkey, clean: Sequence[str], damaged: Sequence[Damaged], level: int, before: float) -> Recovery:
    """Damaged texts up to ``level`` and down; ``before`` is the share of the clean texts' bytes that come back.

    Raises:
        ValueError: as :func:`zonkey.evaluate.reconstruction`.
    """
    found = reconstruction(model, [one.text for one in damaged], level)
    return Recovery(found.score.bytes, found.score.bytes - before, compare(clean, found.results).bytes)


def _can(text: str, at: int, kind: str) -> bool:
    if kind == "swap":
        return at + 1 < len(text)
    flipped = text[at].swapcase()
    return kind != "case" or (flipped != text[at] and len(flipped) == 1)


def _hit(text: str, at: int, kind: str, draw: random.Random) -> str:
    letter = text[at]
    if kind == "swap":
        return text[at + 1] + letter
    if kind == "replace":
        return draw.choice([other for other in PRINTABLE if other != letter])
    return {"drop": "", "double": 2 * letter, "case": letter.swapcase()}[kind]


def _segments(text: bytes, cuts: frozenset[int]) -> list[bytes]:
    return [text[start:end] for start, end in pairwise([*sorted(cuts), len(text)])]
