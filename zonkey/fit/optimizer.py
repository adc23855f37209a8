"""Optimiser and learning-rate schedule; with several processes, each computes its part of Muon's updates."""

import math
from typing import Any

import torch
from torch import nn
from torch.distributed.optim import ZeroRedundancyOptimizer

from zonkey.config import StageConfig, TrainConfig
from zonkey.fit.muon import Muon

BETAS = (0.9, 0.98)
TABLES = ("meaning",)  # learned vectors of a vocabulary, of which few stand in a batch
TABLE_RATE = 50.0  # times the learning rate that other weights have


class Optimizer:
    """Muon for the matrices inside blocks and AdamW for the rest, or AdamW for all, behind one face.

    Tables learn faster than the rest.
    """

    def __init__(self, model: nn.Module, shared: TrainConfig, stage: StageConfig, world: int = 1) -> None:
        matrices, tables, rest = parameter_groups(model)
        self.parameters = matrices + tables + rest
        self.parts: list[torch.optim.Optimizer] = []
        if shared.optimizer == "adamw":
            matrices, rest = [], matrices + rest
        if matrices:
            options: dict[str, Any] = {
                "lr": stage.matrix_learning_rate,
                "weight_decay": shared.weight_decay,
                "nesterov": True,
            }
            if world > 1:  # Muon's updates are matrix products: half as many for each of two, and the same numbers
                self.parts.append(ZeroRedundancyOptimizer(matrices, optimizer_class=Muon, **options))
            else:
                self.parts.append(Muon(matrices, **options))
        for group, times in ((rest, 1.0), (tables, TABLE_RATE)):
            if group:
                rate, decay = times * stage.learning_rate, shared.weight_decay / times
                self.parts.append(torch.optim.AdamW(group, lr=rate, betas=BETAS, weight_decay=decay, fused=True))
        self.clip = shared.clip
        self.peaks = [part.param_groups[0]["lr"] for part in self.parts]
        self.steps = stage.steps
        self.warmup = max(round(shared.warmup * stage.steps), 1)

    def step(self, step: int) -> float:
        """Clip, update at this step's learning rate, clear gradients; returns the gradient norm before clipping.

        Nothing is updated where the norm is not finite.
        """
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if not norm.isfinite():
            return float(norm)
        for part, peak in zip(self.parts, self.peaks, strict=True):
            for group in part.param_groups:
                group["lr"] = learning_rate(step, self.steps, self.warmup, peak)
            part.step()
            part.zero_grad(set_to_none=True)
        return float(norm)

    def gather(self) -> None:
        """Bring the state of all processes to the first; all have to call it."""
        for part in self.parts:
            if isinstance(part, ZeroRedundancyOptimizer):
                part.consolidate_state_dict(to=0)

    def state_dict(self) -> list[dict[str, Any]]:
        """State of all parts, the same for any number of processes; after :meth:`gather`, in the first."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Restore :meth:`state_dict`."""
        for part, saved in zip(self.parts, state, strict=True):
            part.load_state_dict(saved)


def parameter_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Trainable parameters: matrices inside transformer blocks, tables, and all others. Together they are all."""
    matrices: list[nn.Parameter] = []
    tables: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            inside = ".blocks." in name and parameter.dim() == 2 and min(parameter.shape) >= 8
            table = name.rpartition(".")[2] in TABLES
            (matrices if inside else tables if table else rest).append(parameter)
    return matrices, tables, rest


def learning_rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Linear warm-up, then a cosine down to a hundredth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
