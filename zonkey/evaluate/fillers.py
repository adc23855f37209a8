"""Ways to fill gaps: Zonkey, models that read in one direction, the better of both directions, and bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zonkey.evaluate.gaps import Filler, Masked, Puzzle
from zonkey.evaluate.judge import Judge
from zonkey.generate import fill_gaps
from zonkey.model import Zonkey

BATCH_BYTES = 16384  # filled side by side, padding included


# So many bytes after each of many texts, or before it: a model that reads in one direction and writes on in it.
Continuer = Callable[[Sequence[bytes], int], list[bytes]]


def zonkey_filler(model: Zonkey, steps: int | None = None, seed: int = 0) -> Filler:
    """What Zonkey puts into gaps, from both sides."""

    def fill(masked: Sequence[Masked]) -> list[bytes]:
        filled: dict[int, bytes] = {}
        sizes = [sum(map(len, one.known)) + sum(one.gaps) for one in masked]
        rows = sorted(range(len(masked)), key=sizes.__getitem__)
        while rows:
            count = max(BATCH_BYTES // sizes[rows[-1]], 1)
            batch, rows = rows[-count:], rows[:-count]
            parts = [_parts(masked[row]) for row in batch]
            filled |= dict(zip(batch, fill_gaps(model, parts, steps=steps, seed=seed), strict=True))
        return [filled[row] for row in range(len(masked))]

    return fill


def left_filler(write_on: Continuer) -> Filler:
    """Gaps from first to last, each after all that stands before it; what follows a gap is not seen."""

    def fill(masked: Sequence[Masked]) -> list[bytes]:
        texts = [one.known[0] for one in masked]
        for number in range(_gaps(masked)):
            added = _written(write_on, texts, [one.gaps[number] for one in masked])
            texts = [text + new + one.known[number + 1] for text, new, one in zip(texts, added, masked, strict=True)]
        return texts

    return fill


def right_filler(write_on: Continuer) -> Filler:
    """Gaps from last to first by a model that reads from the end; what precedes a gap is not seen."""

    def fill(masked: Sequence[Masked]) -> list[bytes]:
        texts = [one.known[-1] for one in masked]
        for number in reversed(range(_gaps(masked))):
            added = _written(write_on, texts, [one.gaps[number] for one in masked])
            texts = [one.known[number] + new + text for text, new, one in zip(texts, added, masked, strict=True)]
        return texts

    return fill


def better_filler(fillers: Sequence[Filler], judges: Sequence[Judge]) -> Filler:
    """Of what several fillers make of a text, the one that all judges together find likeliest; the first of equals.

    With fillers from the left and from the right, and their models as judges, both sides of a gap count.
    """

    def fill(masked: Sequence[Masked]) -> list[bytes]:
        drafts = [filler(masked) for filler in fillers]
        costs = [_cost(draft, judges) for draft in drafts]
        chosen = [row.index(min(row)) for row in map(list, zip(*costs, strict=True))]
        return [drafts[which][row] for row, which in enumerate(chosen)]

    return fill


def constant_filler(byte: int) -> Filler:
    """The same byte everywhere: the commonest is the least that a filler should beat."""
    return lambda masked: [one.filled([bytes([byte]) * gap for gap in one.gaps]) for one in masked]


def oracle_filler(given: Sequence[Puzzle]) -> Filler:
    """What was there: what a judge says of it is the best to hope for."""
    truths = {puzzle.masked: puzzle.truth for puzzle in given}
    return lambda masked: [truths[one] for one in masked]


def _cost(texts: Sequence[bytes], judges: Sequence[Judge]) -> list[float]:
    """Bits of each text, over all judges."""
    found = [judge.bits(texts) for judge in judges]
    return [float(sum(bits.sum() for bits in row)) for row in zip(*found, strict=True)]


def _gaps(masked: Sequence[Masked]) -> int:
    """How many gaps each text has.

    Raises:
        ValueError: texts differ in it.
    """
    counts = {len(one.gaps) for one in masked}
    if len(counts) > 1:
        raise ValueError(f"texts with {sorted(counts)} gaps are filled side by side; give those of one number")
    return counts.pop() if counts else 0


def _written(write_on: Continuer, texts: Sequence[bytes], sizes: Sequence[int]) -> list[bytes]:
    """What each text is continued with, of its own size: those of one size side by side."""
    found = [b""] * len(texts)
    for size in sorted({*sizes}):
        rows = [row for row, one in enumerate(sizes) if one == size]
        for row, new in zip(rows, write_on([texts[row] for row in rows], size), strict=True):
            found[row] = new
    return found


def _parts(one: Masked) -> list[bytes | int]:
    parts: list[bytes | int] = [one.known[0]]
    for gap, piece in zip(one.gaps, one.known[1:], strict=True):
        parts += [gap, piece]
    return parts
