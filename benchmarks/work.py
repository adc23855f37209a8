"""The pieces of work that are timed: a training step, and what is done with a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from zonkey.config import Config, ModelConfig
from zonkey.data import encyclopedia
from zonkey.fit.optimizer import Optimizer
from zonkey.model import Zonkey
from zonkey.runtime import Runtime
from zonkey.text import to_tokens
from zonkey.train.learner import Part, freeze_but

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
    """Forward, backward and optimiser on one batch, again and again with other begins."""
    tokens, lengths = (v.to(runtime.device) for v in to_tokens(encyclopedia.pieces(documents, size, SEED), size))
    model = built(shape, runtime)
    freeze_but(model, part)
    optimizer = Optimizer(model, config.train, config.train.finetune)
    seeds = iter(range(10**9))

    def step() -> None:
        with runtime.autocast():
            model(tokens, lengths, config.losses, runtime.generator(next(seeds)), part).loss.backward()
        optimizer.step(0)

    return step
