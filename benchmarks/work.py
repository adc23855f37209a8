"""The models that are timed."""

from __future__ import annotations

import torch

from zonkey.config import ModelConfig
from zonkey.model import Zonkey
from zonkey.runtime import Runtime

SEED = 0  # of the text that is worked on


def built(shape: ModelConfig, runtime: Runtime, seed: int = 0) -> Zonkey:
    """An untrained model: how fast it is hardly hangs on what it has learned."""
    torch.manual_seed(seed)
    return Zonkey(shape).to(runtime.device)
