"""What the loop trains: a model, its loss on a batch, and the texts it writes.

Shapes: B documents, N bytes.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zonkey.data import ByteBatch

M = TypeVar("M", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class Outcome:
    """Of one forward pass."""

    loss: Float[Tensor, ""]
    named: dict[str, Float[Tensor, ""]]  # terms and metrics for the history; none of them carries a gradient


class Learner(Protocol[M]):
    """How the loop trains one kind of model; holds what does not change during a run."""

    @property
    def decay(self) -> float:
        """Of the averaged weights."""

    def freeze(self, model: M) -> None:
        """Take the gradient from what this run does not train."""

    def forward(self, network: nn.Module, batch: ByteBatch, random: torch.Generator, step: int | None) -> Outcome:
        """Of a batch on the device; ``network`` is the model, or what averages its gradients over processes.

        ``step`` counts from 0; None when validating.
        """

    def samples(self, model: M) -> list[str]:
        """Texts for the log of a validation."""
