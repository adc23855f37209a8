"""The loop: evaluate, sample, save, step, log.

Shapes: B documents, N bytes.
"""

import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from zonkey.checkpoint import load_state, save_state
from zonkey.config import Config, LossConfig, StageConfig
from zonkey.data import Batches, ByteBatch
from zonkey.fit.distributed import Ranks
from zonkey.fit.learner import Learner, Outcome
from zonkey.fit.optimizer import Optimizer
from zonkey.runtime import Runtime

log = logging.getLogger(__name__)

LOG_EVERY = 10.0  # seconds between progress lines
Row = dict[str, Any]
M = TypeVar("M", bound=nn.Module)


class TrainingError(RuntimeError):
    """Training cannot go on."""


@dataclass(frozen=True)
class Job:
    """One training run: what learns, on which text, for how long."""

    config: Config
    stage: StageConfig
    name: str
    learner: Learner[Any]
    training: Batches
    validation: Batches
    folder: Path  # of the training state


class Trainer(Generic[M]):
    """Model, averaged model, optimiser and position in the data: everything a run needs to go on."""

    def __init__(self, job: Job, model: M, runtime: Runtime, ranks: Ranks) -> None:
        self.job, self.runtime, self.ranks = job, runtime, ranks
        self.model = model.to(runtime.device)
        job.learner.freeze(self.model)
        self.average = copy.deepcopy(self.model)
        self.optimizer = Optimizer(self.model, job.config.train, job.stage, ranks.world)
        self.decay = job.learner.decay
        self.network = ranks.wrap(self.model)
        self.room = job.stage.batch  # documents that fit into a micro-batch, as far as is known
        self.step = 0
        self.history: list[Row] = []

    def run(self) -> M:
        """Train to the end, from the last saved state if there is one; returns the averaged model."""
        self._resume()
        shared, steps = self.job.config.train, self.job.stage.steps
        progress = Progress(self.job, self.step)
        while self.step < steps:
            if self.step % shared.validate_every == 0:
                self._validate()
            if self.step % shared.checkpoint_every == 0:
                self._save()
            row = self._train_step()
            self.step += 1
            if self.step % 10 == 0 or self.step == steps:
                self.history.append(row)
            progress.show(self.step, row)
        self._validate()
        self._save()
        return self.average

    def _train_step(self) -> Row:
        batch = self.job.training.at(self.step)
        while (row := self._gradients(batch)) is None:
            self._part_further(len(batch.lengths))
        row = {"step": self.step + 1, **row, "gradient": self.optimizer.step(self.step)}
        self._check_finite(row, "gradient")
        with torch.no_grad():
            source: list[torch.Tensor] = [p for p in self.model.parameters() if p.requires_grad]
            target: list[torch.Tensor] = [p for p in self.average.parameters() if p.requires_grad]
            decay = min(self.decay, (1 + self.step) / (10 + self.step))  # short at first, not to keep the start
            torch._foreach_lerp_(target, source, 1 - decay)
            self._copy_buffers(self.model, self.average)
        return row

    @staticmethod
    @torch.no_grad()
    def _copy_buffers(source: nn.Module, target: nn.Module) -> None:
        """They are no weights: positions, counts and what is compared with."""
        for old, new in zip(target.buffers(), source.buffers(), strict=True):
            old.copy_(new)

    def _gradients(self, batch: ByteBatch) -> Row | None:
        """Of a batch, in micro-batches; None where one process alone has too little memory for so large ones."""
        random = self.runtime.generator(self.job.config.seed, 1, self.step, self.ranks.rank)
        parts = self._parts(len(batch.lengths))
        rows: list[Row] = []
        try:
            for number, part in enumerate(_micro_batches(batch, parts)):
                with self.ranks.accumulate(self.network, last=number == parts - 1), self.runtime.autocast():
                    out = self._forward(self.network, part, random, self.step)
                    (out.loss / parts).backward()
                rows.append(measure(out, "train"))
                self._check_finite(rows[-1], "train/loss")
        except torch.OutOfMemoryError:
            if self.ranks.world > 1 or parts == len(batch.lengths):  # the others already wait for this one's
                raise
            return None
        return mean(rows)

    def _parts(self, documents: int) -> int:
        """Micro-batches that documents are cut into: as many as the stage says, or more, so that each has room."""
        least = self.job.stage.micro_batches
        return next(n for n in range(least, documents + 1) if documents % n == 0 and documents // n <= self.room)

    def _part_further(self, documents: int) -> None:
        """The next smaller micro-batches of equal size; model and gradients as before the step."""
        self.room = documents // self._parts(documents) - 1
        parts = self._parts(documents)
        self.model.zero_grad(set_to_none=True)
        self._copy_buffers(self.average, self.model)
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "%s: out of memory in step %d; goes on with %d micro-batches of %d documents, as micro_batches: %d would",
            self.job.name,
            self.step,
            parts,
            documents // parts,
            parts,
        )

    def _forward(self, network: nn.Module, batch: ByteBatch, random: torch.Generator, step: int | None) -> Outcome:
        device = self.runtime.device
        tokens, lengths = batch.tokens.to(device, non_blocking=True), batch.lengths.to(device, non_blocking=True)
        return self.job.learner.forward(network, ByteBatch(tokens, lengths), random, step)

    @torch.no_grad()
    def _validate(self) -> None:
        """Losses and metrics of the averaged model on held-out text, and some texts that it writes."""
        rows = []
        for at in range(self.job.config.train.validate_batches):
            random = self.runtime.generator(self.job.config.seed, 2, at)
            batch = self.job.validation.at(at)
            for part in _micro_batches(batch, -(-len(batch.lengths) // self.room)):
                with self.runtime.autocast():
                    out = self._forward(self.average, part, random, None)
                rows.append(measure(out, "validation"))
        found = {key: round(value, 6) for key, value in mean(rows).items()}
        self._check_finite(found, "validation/loss")
        with self.runtime.autocast():
            samples = self.job.learner.samples(self.average)
        self.history = [row for row in self.history if row.get("kind") != "validation" or row["step"] != self.step]
        self.history.append({"step": self.step, "kind": "validation", **found, "samples": samples})
        log.info("%s step %d validation %s", self.job.name, self.step, brief(found))
        for text in samples:
            log.info("%s step %d sample %r", self.job.name, self.step, text)

    def _check_finite(self, row: Row, watched: str) -> None:
        """A term that is not finite is named before the sum that it spoils; a term of weight 0 spoils none."""
        if math.isfinite(row[watched]):
            return
        terms = (name for name, value in row.items() if name != watched and not math.isfinite(value))
        name = next(terms, watched)
        term = name.split("/")[-1]
        fix = f", or set losses.{term} to 0" if term in LossConfig.model_fields else ""
        raise TrainingError(
            f"{self.job.name}: {name.removeprefix('train/')} is {row[name]} in step {self.step} (batch {self.step} of"
            f" seed {self.job.config.seed}); the state of the last checkpoint is in {self.job.folder}; lower the"
            f" learning rate{fix}"
        )

    def _save(self) -> None:
        self.optimizer.gather()
        if self.ranks.rank == 0:
            state = {
                "step": self.step,
                "room": self.room,
                "history": self.history,
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
            save_state(self.job.folder, state)
        self.ranks.wait()

    def _resume(self) -> None:
        state = load_state(self.job.folder)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.room, self.history = state["step"], state["room"], state["history"]
        log.info("%s goes on at step %d of %d", self.job.name, self.step, self.job.stage.steps)


class Progress:
    """A line every few seconds: step, loss, rate, time left."""

    def __init__(self, job: Job, step: int) -> None:
        self.job, self.first, self.started, self.shown = job, step, time.monotonic(), time.monotonic()

    def show(self, step: int, row: Row) -> None:
        """Log a line if it is time for one."""
        now = time.monotonic()
        if now - self.shown < LOG_EVERY and step < self.job.stage.steps:
            return
        self.shown = now
        rate = (step - self.first) / (now - self.started)
        size = self.job.stage.batch * self.job.stage.bytes
        left = (self.job.stage.steps - step) / rate
        log.info(
            "%s step %d/%d loss %.3f, %.1f steps/s, %.0f bytes/s, %.0f s left",
            self.job.name,
            step,
            self.job.stage.steps,
            row["train/loss"],
            rate,
            rate * size,
            left,
        )


def measure(out: Outcome, kind: str) -> Row:
    """Loss, loss terms and metrics of a step as numbers, named ``kind/[levelN/]name``."""
    return {f"{kind}/loss": out.loss.item()} | {f"{kind}/{name}": float(value) for name, value in out.named.items()}


def mean(rows: list[Row]) -> Row:
    """Of each number, over micro-batches or batches; of several processes every one has its own."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def brief(row: Row) -> str:
    """The numbers a person watches."""
    watched = ("loss", "accuracy", "begin_rate", "decided", "latent", "bits_per_byte")
    return ", ".join(f"{name.split('/', 1)[1]} {value:.4f}" for name, value in row.items() if name.endswith(watched))


def _micro_batches(batch: ByteBatch, parts: int) -> Iterator[ByteBatch]:
    for tokens, lengths in zip(batch.tokens.chunk(parts), batch.lengths.chunk(parts), strict=True):
        yield ByteBatch(tokens, lengths)
