"""Segment Splitter: the begin logit of every position (paper, section of that name).

Shapes: B documents, N positions, D width.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zonkey.attention import LocalAttention, local_bias
from zonkey.config import LevelConfig
from zonkey.transformer import Block

KERNELS = (3, 5, 7, 9)


class Splitter(nn.Module):
    """A local-attention encoder and convolutions of widths 3, 5, 7, 9 feed one linear logit.

    The bias starts at logit(2 / L), so that training starts from segments of sane length.
    """

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.radius = config.splitter_radius
        width, heads = config.width, config.heads
        self.blocks = nn.ModuleList(
            [Block(width, LocalAttention(width, heads, self.radius)) for _ in range(config.splitter_layers)]
        )
        channels = max(width // 4, 8)
        self.convolutions = nn.ModuleList([nn.Conv1d(width, channels, k, padding=k // 2) for k in KERNELS])
        self.norm = nn.LayerNorm(width, bias=False)
        self.begin = nn.Linear(width + channels * len(KERNELS), 1)
        self.bias = nn.Parameter(torch.tensor(math.log(2 / config.window / (1 - 2 / config.window))))

    def forward(self, x: Float[Tensor, "B N D"], real: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        x = torch.where(real[..., None], x, 0.0)
        bias = local_bias(real, self.radius)
        for block in self.blocks:
            x = block(x, bias)
        x = torch.where(real[..., None], self.norm(x), 0.0)
        signal = x.transpose(1, 2)
        found = torch.cat([convolve(signal) for convolve in self.convolutions], dim=1).relu().transpose(1, 2)
        return (self.begin(torch.cat([x, found], dim=-1))[..., 0] + self.bias).float()
