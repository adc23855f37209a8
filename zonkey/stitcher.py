"""Stitcher: neighbouring segments become one sequence (paper, section of that name).

Shapes: S pairs of a segment and its successor, L window, D width.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, pad

from zonkey.attention import Attention, cross_bias
from zonkey.config import LevelConfig
from zonkey.existence import hardened, survival
from zonkey.sphere import to_sphere

HEAD = 2  # first vectors of the successor that are compared


@dataclass(frozen=True)
class Stitched:
    """Where the successor begins inside the segment, and the segment refined by it."""

    log_offset: Float[Tensor, "S L"]  # log probability that the successor begins at offset 1..L
    x: Float[Tensor, "S L D"]  # refined vectors, on the sphere

    @property
    def expected(self) -> Float[Tensor, " S"]:
        """Expected offset, differentiable."""
        return (self.log_offset.exp() * offsets(self.log_offset)).sum(dim=-1)

    @property
    def likeliest(self) -> Int[Tensor, " S"]:
        """Most probable offset, for inference."""
        return self.log_offset.argmax(dim=-1) + 1


class Stitcher(nn.Module):
    """Infers the offset of the next segment from existence and from matching vectors, then refines the overlap.

    P(offset n) is proportional to (p_{n-1} - p_n) exp(match_n): the existence lost at n, adjusted by how well the
    first vectors of the successor match those of the segment at n, as far as these exist. ``hard`` rounds the
    successor's existence where it is attended to.
    """

    def __init__(self, config: LevelConfig, hard: bool = False) -> None:
        super().__init__()
        self.hard = hard
        self.here = nn.Linear(config.width, config.width // 2, bias=False)
        self.there = nn.Linear(config.width, config.width // 2, bias=False)
        self.scale = nn.Parameter(torch.zeros(HEAD))
        self.norms = nn.ModuleList([nn.LayerNorm(config.width, bias=False), nn.LayerNorm(config.width, bias=False)])
        self.cross = Attention(config.width, config.heads)

    def forward(
        self,
        x: Float[Tensor, "S L D"],
        begin: Float[Tensor, "S L"],
        next_x: Float[Tensor, "S L D"],
        next_begin: Float[Tensor, "S L"],
    ) -> Stitched:
        """``begin`` are the denoiser's logits that a new segment begins, of the segment and its successor."""
        log_p = survival(logsigmoid(-begin))
        log_offset = (offset_prior(begin) + self._match(x, log_p, next_x)).log_softmax(dim=-1)
        stitched = Stitched(log_offset, x)
        length = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        there = stitched.expected[:, None] + length
        next_log_p = survival(logsigmoid(-next_begin))
        next_log_p = hardened(next_log_p) if self.hard else next_log_p
        bias = cross_bias(next_log_p, torch.ones_like(next_log_p, dtype=torch.bool))
        seen = self.cross(self.norms[0](x), bias, self.norms[1](next_x), (length.expand_as(there), there))
        return Stitched(log_offset, to_sphere(x + seen))

    def _match(
        self, x: Float[Tensor, "S L D"], log_p: Float[Tensor, "S L"], next_x: Float[Tensor, "S L D"]
    ) -> Float[Tensor, "S L"]:
        here = normalize(self.here(x).float(), dim=-1)
        there = normalize(self.there(next_x[:, :HEAD]).float(), dim=-1)
        cos = torch.einsum("sld,shd->slh", here, there) * log_p.exp()[..., None]
        total = torch.zeros_like(log_p)
        for h in range(HEAD):
            total = total + self.scale[h] * pad(cos[:, 1 + h :, h], (0, min(1 + h, cos.shape[1])))
        return total


def offset_prior(begin: Float[Tensor, "S L"]) -> Float[Tensor, "S L"]:
    """log(p_{n-1} - p_n) for offsets n = 1..L; whatever exists at the window's end ends there."""
    log_p = survival(logsigmoid(-begin))
    return torch.cat([log_p[:, :-1] + logsigmoid(begin[:, 1:]), log_p[:, -1:]], dim=1)


def offsets(like: Float[Tensor, "S L"]) -> Float[Tensor, " L"]:
    """The offsets 1..L."""
    return torch.arange(1, like.shape[-1] + 1, device=like.device, dtype=torch.float32)


def lay_out(
    x: Float[Tensor, "B M L D"], lengths: Int[Tensor, "B M"], positions: int
) -> tuple[Float[Tensor, "B N D"], Int[Tensor, " B"]]:
    """Let every segment write its own part, one after another.

    Args:
        x: vectors of M segments of each document.
        lengths: how many of its first vectors each segment writes; 0 for segments that are not there.
        positions: N, the longest sequence that is kept.

    Returns:
        The sequences (zeros after the end) and their lengths.
    """
    batch, count, window, width = x.shape
    end = lengths.cumsum(dim=1)
    at = torch.arange(positions, device=x.device).expand(batch, -1).contiguous()
    segment = torch.searchsorted(end, at, right=True).clamp(max=count - 1)
    offset = at - (end - lengths).gather(1, segment)
    flat = (segment * window + offset.clamp(0, window - 1))[..., None].expand(-1, -1, width)
    total = end[:, -1].clamp(max=positions)
    real = (at < total[:, None])[..., None]
    return torch.where(real, x.flatten(1, 2).gather(1, flat), 0.0), total
