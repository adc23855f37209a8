"""The pieces of work that are timed: a training step, and what is done with a model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from zonkey.config import Config, ModelConfig
from zonkey.data import ByteBatch, encyclopedia
from zonkey.fit.optimizer import Optimizer
from zonkey.model import Zonkey
from zonkey.runtime import Runtime
from zonkey.text import to_tokens
from zonkey.train.learner import Part, ZonkeyLearner

SEED = 0  # of the text that is worked on


def built(shape: ModelConfig, runtime: Runtime, seed: int = 0) -> Zonkey:
    """An untrained model: how fast it is hardly hangs on what it has learned."""
    torch.manual_seed(seed)
    return Zonkey(shape).to(runtime.device)


def training_step(
    config: Config,
    shape: ModelConfig,
    runtime: Runtime,
    documents: int,
    size: int,
    part: Part = None,
) -> Callable[[], Any]:
    """Forward, backward and optimiser of a stage's last step on one batch, again and again with other begins."""
    tokens, lengths = to_tokens(encyclopedia.pieces(documents, size, SEED), size)
    batch = ByteBatch(tokens.to(runtime.device), lengths.to(runtime.device))
    model = built(shape, runtime)
    begin_at_rate(model)
    stage = config.train.finetune
    learner = ZonkeyLearner(config.model_copy(update={"model": shape}), stage, part)
    learner.freeze(model)
    optimizer = Optimizer(model, config.train, stage)
    seeds = iter(range(10**9))

    def step() -> None:
        with runtime.autocast():
            learner.forward(model, batch, runtime.generator(next(seeds)), stage.steps - 1).loss.backward()
        optimizer.step(0)

    return step


@torch.no_grad()
def begin_at_rate(model: Zonkey) -> None:
    """Let untrained splitters begin as often as they will when they are trained: there is as much to compute."""
    for level in model.levels:
        rate = level.config.target_rate
        level.splitter.bias.fill_(math.log(rate / (1 - rate)))
