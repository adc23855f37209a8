"""Batches of bytes in an order that is a pure function of (seed, step), so that training resumes exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from zonkey.data.corpus import Corpus
from zonkey.data.errors import DataError

PADDING = 256  # not a byte value
_JITTER = 0.02  # of a piece's length, when sorting: varies which pieces meet at the cost of little padding
_ALIGNED = 32  # from this crop size on, cuts are moved to where a UTF-8 character begins


@dataclass(frozen=True)
class ByteBatch:
    """Byte sequences of alike length."""

    tokens: Int64[Tensor, "B N"]  # byte values, PADDING after each row's end
    lengths: Int64[Tensor, "B"]  # at least 1


@dataclass(frozen=True)
class _Plan:
    """The order of one epoch."""

    starts: np.ndarray  # (P,) int64, where pieces begin in the corpus' bytes
    lengths: np.ndarray  # (P,) int64
    rows: np.ndarray  # (steps, B) int64, pieces of each step


class Batches:
    """An endless sequence of batches over ``corpus``; :meth:`at` is a pure function of (seed, step).

    Each epoch goes once through every byte: documents longer than ``bytes`` are cut into pieces of at most
    that, the first of a length drawn from the seed, so that cuts fall elsewhere every epoch. Cuts are made
    where a character begins (for crops of 32 bytes or more). Pieces are sorted by length, with some jitter,
    and batched with their neighbours; the order of the batches is shuffled. The last batch is filled with
    pieces drawn again. ``batch`` counts the rows of all ranks together.

    Raises:
        DataError: a size is below 1, ``world`` does not divide ``batch``, or ``rank`` is outside the world.
    """

    def __init__(self, corpus: Corpus, batch: int, bytes: int, seed: int, rank: int = 0, world: int = 1) -> None:
        for name, value in (("batch", batch), ("bytes", bytes), ("world", world)):
            if value < 1:
                raise DataError(f"{name} is {value}; give at least 1")
        if batch % world:
            raise DataError(f"a batch of {batch} does not divide over {world} processes; give a multiple of {world}")
        if not 0 <= rank < world:
            raise DataError(f"rank is {rank}, outside 0..{world - 1}")
        if not len(corpus):
            raise DataError(f"the {corpus.split} split in {corpus.folder} has no documents")
        self.corpus, self.batch, self.bytes, self.seed = corpus, batch, bytes, seed
        self.rank, self.world = rank, world
        self._stride = bytes - 3 if bytes >= _ALIGNED else bytes  # moving a cut forward may add three bytes
        self._least = max(1, min(16, self._stride // 4))  # the shortest piece of a document that is cut
        self._ends = [0]  # the first step of each epoch known so far
        self._cached: tuple[int, _Plan] | None = None

    def at(self, step: int) -> ByteBatch:
        """The batch of ``step`` (from 0); with ``world`` > 1 this rank's rows, padded as the whole batch."""
        epoch, inside = self.position(step)
        plan = self._planned(epoch)
        pieces = plan.rows[inside]
        width = int(plan.lengths[pieces].max())
        mine = pieces[self.rank :: self.world]
        tokens = np.full((len(mine), width), PADDING, dtype=np.int64)
        for row, piece in enumerate(mine):
            start, length = plan.starts[piece], plan.lengths[piece]
            tokens[row, :length] = self.corpus.data[start : start + length]
        return ByteBatch(torch.from_numpy(tokens), torch.from_numpy(plan.lengths[mine]))

    def read(self, steps: int) -> int:
        """Bytes of text in the first ``steps`` batches, the rows of all ranks together: each piece as often as it
        is shown, no padding."""
        if steps < 0:
            raise DataError(f"steps is {steps}; give 0 or more")
        total = epoch = 0
        while steps:
            plan = self._planned(epoch)
            rows = plan.rows[:steps]
            total += int(plan.lengths[rows].sum())
            steps, epoch = steps - len(rows), epoch + 1
        return total

    def position(self, step: int) -> tuple[int, int]:
        """The epoch of ``step`` and the step within it."""
        if step < 0:
            raise DataError(f"step is {step}; steps count from 0")
        while self._ends[-1] <= step:
            pieces = int(self._counts(self._crops(self._random(len(self._ends) - 1))).sum())
            self._ends.append(self._ends[-1] + -(-pieces // self.batch))
        epoch = int(np.searchsorted(self._ends, step, side="right")) - 1
        return epoch, step - self._ends[epoch]

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch])

    def _sizes(self) -> np.ndarray:
        return np.diff(self.corpus.offsets)

    def _crops(self, random: np.random.Generator) -> np.ndarray:
        """The length of each document's first piece, (documents,), before cuts are moved."""
        drawn = self._least + (random.random(len(self.corpus)) * (self._stride - self._least + 1)).astype(np.int64)
        return np.where(self._sizes() > self.bytes, drawn, self._sizes())

    def _counts(self, crops: np.ndarray) -> np.ndarray:
        """How many pieces each document gives, (documents,)."""
        return 1 - (-(self._sizes() - crops) // self._stride)

    def _planned(self, epoch: int) -> _Plan:
        """The plan of an epoch; the last one asked for is kept."""
        if self._cached is None or self._cached[0] != epoch:
            self._cached = epoch, self._plan(epoch)
        return self._cached[1]

    def _plan(self, epoch: int) -> _Plan:
        random = self._random(epoch)
        starts = self._starts(self._crops(random))
        lengths = np.diff(starts, append=self.corpus.bytes)
        order = np.argsort(lengths * (1 + _JITTER * random.random(len(lengths))), kind="stable")
        again = random.integers(0, len(order), -len(order) % self.batch)
        rows = order[np.sort(np.append(np.arange(len(order)), again))].reshape(-1, self.batch)
        return _Plan(starts, lengths, random.permutation(rows))

    def _starts(self, crops: np.ndarray) -> np.ndarray:
        """Where pieces begin, (pieces,), for the first pieces' lengths."""
        counts = self._counts(crops)
        document = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)  # within the document
        starts = self.corpus.offsets[document] + (place > 0) * (crops[document] + (place - 1) * self._stride)
        latest = self.corpus.offsets[document + 1] - self._least  # no tail is shorter: its cut moves back
        starts = np.where(place > 0, np.minimum(starts, latest), starts)
        if self._stride < self.bytes:  # move cuts to where a character begins, at most three bytes on
            for _ in range(3):
                inside = self.corpus.data[starts] & 0xC0 == 0x80
                starts = starts + (inside & (place > 0))
        return starts
