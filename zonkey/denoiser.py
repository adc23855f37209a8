"""DDMM denoiser: a noisy compressed vector becomes a segment with existences (paper, section "DDMM").

Shapes: S segments, L window, C compression vectors, D width, E = C x D.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from zonkey.attention import existence_bias, with_prompt
from zonkey.config import LevelConfig
from zonkey.existence import hardened, survival
from zonkey.sphere import to_sphere
from zonkey.transformer import CausalDecoder, Encoder, time_features

TIME = -2.0  # place of the noise level in the prompt: before the window


@dataclass(frozen=True)
class Denoised:
    """What the denoiser makes of a compressed vector."""

    x: Float[Tensor, "S L D"]  # the segment's vectors, on the sphere
    begin: Float[Tensor, "S L"]  # logit that a new segment begins here (k = 0 is not read)
    draft_begin: Float[Tensor, "S L"]  # the same, before the encoder

    @property
    def log_p(self) -> Float[Tensor, "S L"]:
        """Predicted log existence."""
        return survival(logsigmoid(-self.begin))

    @property
    def draft_log_p(self) -> Float[Tensor, "S L"]:
        """Predicted log existence before the encoder."""
        return survival(logsigmoid(-self.draft_begin))

    def take(self, rows: slice | Int[Tensor, " T"]) -> "Denoised":
        """Some of the segments."""
        return Denoised(self.x[rows], self.begin[rows], self.draft_begin[rows])


class Denoiser(nn.Module):
    """Prompt [time, C vectors + time] -> causal decompressor -> encoder with Probabilistic Attention.

    ``decompressor: sequential`` unrolls one vector at a time (paper); ``parallel`` puts L learned queries behind
    the prompt and takes one causal pass (departs from the paper: faster, see docs/experiments.md). ``hard`` rounds
    the draft's existence. With ``locality`` the prompt has places among the window's (departs from the paper).
    """

    at: Tensor | None

    def __init__(self, config: LevelConfig, hard: bool = False) -> None:
        super().__init__()
        self.hard = hard
        width, self.window, self.vectors = config.width, config.window, config.vectors
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.decompressor = CausalDecoder(width, config.heads, config.decompressor_layers)
        parallel = config.decompressor == "parallel"
        self.queries = nn.Parameter(torch.randn(self.window, width)) if parallel else None
        self.encoder = Encoder(width, config.heads, config.denoiser_layers)
        at = torch.tensor([TIME, *config.places, *range(self.window)]) if config.locality else None
        self.register_buffer("at", at, persistent=False)
        self.begin = nn.Linear(width, 1)
        self.begin_bias = nn.Parameter(torch.tensor(math.log(2 / self.window / (1 - 2 / self.window))))

    def forward(self, z: Float[Tensor, "S E"], t: Float[Tensor, " S"]) -> Denoised:
        """Denoise ``z`` at noise level ``t``."""
        prompt = z.unflatten(1, (self.vectors, -1))
        time = self.time(time_features(t, prompt.shape[-1]))[:, None]
        prompt = torch.cat([time, prompt + time], dim=1)
        draft = self._decompress(prompt)
        draft_begin = self._begin(draft)
        log_p = survival(logsigmoid(-draft_begin))
        log_p = hardened(log_p) if self.hard else log_p
        real = torch.ones_like(log_p, dtype=torch.bool)
        size = prompt.shape[1]
        bias = existence_bias(*with_prompt(log_p, real, size))
        out = self.encoder(torch.cat([prompt, draft.to(prompt.dtype)], dim=1), bias, slice(size, None), self.at)
        return Denoised(to_sphere(out), self._begin(out), draft_begin)

    def _decompress(self, prompt: Float[Tensor, "S P D"]) -> Float[Tensor, "S L D"]:
        if self.queries is None:
            at = None if self.at is None else self.at[:-1]
            return self.decompressor.unroll(prompt, self.window, at)
        queries = self.queries.expand(len(prompt), -1, -1).to(prompt.dtype)
        return self.decompressor(torch.cat([prompt, queries], dim=1), slice(prompt.shape[1], None), self.at)

    def _begin(self, vectors: Float[Tensor, "S L D"]) -> Float[Tensor, "S L"]:
        return (self.begin(vectors)[..., 0] + self.begin_bias).float()
