"""Latent flow: what a clean compressed vector is likely to be, given one that noise hides (objective ``flow``).

Departs from the paper, whose sampler decodes and compresses again in every step: a network of its own over the C
vectors alone sees far more segments in the same time (docs/experiments.md).

Shapes: S segments, C compression vectors, D width, E = C x D.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zonkey.config import LevelConfig
from zonkey.transformer import Encoder, time_features

START = 0.5  # scale of the learned places at the start


class Flow(nn.Module):
    """A transformer over [time, C noised vectors]: returns the expected clean vector, shorter where it is unsure."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        width, self.vectors = config.width, config.vectors
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.places = nn.Parameter(START * torch.randn(self.vectors, width))
        self.noised = nn.Linear(width, width)
        self.estimate = nn.Linear(width, width, bias=False)
        self.encoder = Encoder(width, config.heads, config.flow_layers)
        self.out = nn.Linear(width, width)

    def forward(
        self, z: Float[Tensor, "S E"], t: Float[Tensor, " S"], estimate: Float[Tensor, "S E"]
    ) -> Float[Tensor, "S E"]:
        """The clean vector behind ``z`` at noise level ``t``; ``estimate`` is an earlier answer, or zeros."""
        x = self.noised(z.unflatten(1, (self.vectors, -1))) + self.estimate(estimate.unflatten(1, (self.vectors, -1)))
        time = self.time(time_features(t, x.shape[-1]))[:, None]
        x = torch.cat([time, x + self.places + time], dim=1)
        everywhere = x.new_zeros(1, 1, x.shape[1], x.shape[1])
        found = self.out(self.encoder(x, everywhere, keep=slice(1, None))).flatten(1).float()
        part = t[:, None] * (math.pi / 2)  # of the way to noise: the network adds what the noise hides
        return part.cos() * z + part.sin() * found
