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


def texts(count: int, size: int, seed: int = 0) -> list[str]:
    """``count`` pieces of ``size`` bytes of built-in text."""
    whole, articles = "", encyclopedia.articles(10**9, seed=seed)
    while len(whole) < count * size:
        whole += next(articles).text + "\n"
    data = whole.encode()
    return [data[at * size : (at + 1) * size].decode("utf-8", errors="ignore") for at in range(count)]


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
    tokens, lengths = (v.to(runtime.device) for v in to_tokens(texts(documents, size), size))
    model = built(shape, runtime)
    freeze_but(model, part)
    optimizer = Optimizer(model, config.train, config.train.finetune)
    seeds = iter(range(10**9))

    def step() -> None:
        with runtime.autocast():
            model(tokens, lengths, config.losses, runtime.generator(next(seeds)), part).loss.backward()
        optimizer.step(0)

    return step
