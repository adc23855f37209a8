"""Compressor: a window of vectors becomes C vectors on one sphere (paper, section of that name).

Shapes: S segments, L window, C compression vectors, D width, E = C x D.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from zonkey.attention import existence_bias, with_prompt
from zonkey.config import LevelConfig
from zonkey.sphere import to_sphere
from zonkey.transformer import Encoder


class Compressor(nn.Module):
    """A residual convolution, then an encoder over C learned vectors (existence 1) and the window.

    With ``locality`` the vectors have places among the window's (departs from the paper, see docs/experiments.md).
    """

    at: Tensor | None

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.vectors = nn.Parameter(torch.randn(config.vectors, config.width))
        self.places = nn.Parameter(torch.randn(config.window, config.width))
        self.encoder = Encoder(config.width, config.heads, config.compressor_layers)
        at = torch.tensor([*config.places, *range(config.window)]) if config.locality else None
        self.register_buffer("at", at, persistent=False)

    def forward(
        self, x: Float[Tensor, "S L D"], log_p: Float[Tensor, "S L"], mask: Bool[Tensor, "S L"]
    ) -> Float[Tensor, "S E"]:
        """Vectors of norm E||N(0, I)||; what has little existence has little influence."""
        count = self.vectors.shape[0]
        x = x * (log_p.exp() * mask)[..., None]
        x = x + self.convolution(x.transpose(1, 2)).transpose(1, 2)
        x = x + self.places
        learned = self.vectors.expand(len(x), -1, -1)
        bias = existence_bias(*with_prompt(log_p, mask, count))
        out = self.encoder(torch.cat([learned.to(x.dtype), x], dim=1), bias, slice(count), self.at)
        return to_sphere((out - learned).flatten(1))
