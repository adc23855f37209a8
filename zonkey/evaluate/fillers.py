"""Ways to fill gaps: Zonkey, models that read in one direction, the better of both directions, and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from zonkey.evaluate.gaps import Filler, Masked, Puzzle
from zonkey.evaluate.judge import Judge
from zonkey.generate import fill_gaps
from zonkey.model import Zonkey

BATCH_BYTES = 16384  # filled side by side, padding included


class Continuer(Protocol):
    """A model that reads text in one direction and writes on in it."""

    def continue_text(
        self, text: bytes, count: int, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> bytes:
        """``count`` bytes after ``text``, or before it; the likeliest one by one without a generator."""
        ...


class Directed(Continuer, Judge, Protocol):
    """One that also says how likely a text is."""


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


def left_filler(model: Continuer, generator: torch.Generator | None = None, temperature: float = 1.0) -> Filler:
    """Gaps from first to last, each after all that stands before it; what follows a gap is not seen."""

    def fill(one: Masked) -> bytes:
        text = one.known[0]
        for gap, piece in zip(one.gaps, one.known[1:], strict=True):
            text += model.continue_text(text, gap, generator, temperature) + piece
        return text

    return lambda masked: [fill(one) for one in masked]


def right_filler(model: Continuer, generator: torch.Generator | None = None, temperature: float = 1.0) -> Filler:
    """Gaps from last to first by a model that reads from the end; what precedes a gap is not seen."""

    def fill(one: Masked) -> bytes:
        text = one.known[-1]
        for gap, piece in zip(reversed(one.gaps), reversed(one.known[:-1]), strict=True):
            text = piece + model.continue_text(text, gap, generator, temperature) + text
        return text

    return lambda masked: [fill(one) for one in masked]


def better_filler(left: Directed, right: Directed) -> Filler:
    """Of the likeliest fillings from the left and from the right, the one that both models together find likelier."""

    def fill(masked: Sequence[Masked]) -> list[bytes]:
        drafts = [left_filler(left)(masked), right_filler(right)(masked)]
        costs = [
            [float(one.sum() + other.sum()) for one, other in zip(left.bits(draft), right.bits(draft), strict=True)]
            for draft in drafts
        ]
        chosen = [int(second < first) for first, second in zip(*costs, strict=True)]
        return [drafts[which][row] for row, which in enumerate(chosen)]

    return fill


def constant_filler(byte: int) -> Filler:
    """The same byte everywhere: the commonest is the least that a filler should beat."""
    return lambda masked: [one.filled([bytes([byte]) * gap for gap in one.gaps]) for one in masked]


def oracle_filler(given: Sequence[Puzzle]) -> Filler:
    """What was there: what a judge says of it is the best to hope for."""
    truths = {puzzle.masked: puzzle.truth for puzzle in given}
    return lambda masked: [truths[one] for one in masked]


def _parts(one: Masked) -> list[bytes | int]:
    parts: list[bytes | int] = [one.known[0]]
    for gap, piece in zip(one.gaps, one.known[1:], strict=True):
        parts += [gap, piece]
    return parts
