"""One level: the same class at every level (design, section 3).

Shapes: B documents, N positions, S segments, L window, M segments of a document, D width, E = C x D.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from zonkey.compressor import Compressor
from zonkey.config import LevelConfig
from zonkey.denoiser import Denoised, Denoiser
from zonkey.existence import Segments, choose_begins, cut, hardened, real_positions
from zonkey.flow import Flow
from zonkey.predictor import Predictor
from zonkey.splitter import Splitter, fixed_logits
from zonkey.stitcher import Stitcher, lay_out, offset_prior

WORTH = 1.5  # room for segments shorter than their target, and for undecided ones
Length = Literal["expected", "sampled"]


@dataclass(frozen=True)
class Decoded:
    """A level's sequences put together again."""

    x: Float[Tensor, "B N D"]
    lengths: Int[Tensor, " B"]
    offsets: Int[Tensor, "B M"]  # how many positions each segment wrote
    p: Float[Tensor, "B M L"]  # predicted existence of every window


class Level(nn.Module):
    """Cuts a sequence, compresses its segments, denoises and stitches them; ``hard`` takes existence as 0 or 1."""

    def __init__(self, config: LevelConfig, hard: bool = False) -> None:
        super().__init__()
        self.config = config
        self.hard = hard
        self.splitter = Splitter(config)
        self.predictor = Predictor(config) if config.foresees else None
        self.compressor = Compressor(config)
        self.denoiser = Denoiser(config, hard)
        self.stitcher = Stitcher(config, hard)
        self.flow: Flow | None = None  # the model adds it, where its objective has one
        self.mask_vector = nn.Parameter(torch.randn(config.width))

    def capacity(self, batch: int, positions: int) -> int:
        """Segments kept of a training batch: grows with its shape, never with what is drawn."""
        return batch * self.kept(positions)

    def kept(self, positions: int) -> int:
        """Segments kept of one document in training."""
        rate = max(self.config.target_rate * self.config.capacity, 1 / self.config.window)
        return min(positions, int(positions * rate) + 2)

    @property
    def worth(self) -> float:
        """Share of the positions of windows that are a segment's own, with some room."""
        return min(1.0, WORTH / (self.config.target_rate * self.config.window))

    def split(
        self,
        x: Float[Tensor, "B N D"],
        lengths: Int[Tensor, " B"],
        generator: torch.Generator | None = None,
        capacity: int | None = None,
        marks: Bool[Tensor, "K B N"] | None = None,
    ) -> tuple[Float[Tensor, "B N"], Segments]:
        """Begin logits and segments: sampled with a generator, deterministic without or where it is not learned.

        Raises:
            ValueError: it splits at spaces, and the text's ``marks`` (:func:`zonkey.splitter.marks_of`) are missing.
        """
        real = real_positions(lengths, x.shape[1])
        if self.config.splitting == "learned":
            logits = self.splitter(x, real)
        else:
            logits, generator = fixed_logits(self.config, real, marks), None
        begins = choose_begins(logits.detach(), real, self.config.window, generator)
        return logits, cut(logits, begins, lengths, self.config.window, capacity, self.hard)

    def windows(self, x: Float[Tensor, "B N D"], segments: Segments) -> Float[Tensor, "S L D"]:
        """The vectors of every window."""
        count, window = segments.index.shape
        return x.flatten(0, 1).index_select(0, segments.index.flatten()).view(count, window, -1)

    def compress(self, x: Float[Tensor, "B N D"], segments: Segments) -> Float[Tensor, "S E"]:
        """Compressed segments of a sequence."""
        return self.compressor(self.windows(x, segments), segments.log_p, segments.mask)

    def recompress(self, denoised: Denoised) -> Float[Tensor, "S E"]:
        """Compress a decoded segment again, with its predicted existence."""
        log_p = hardened(denoised.log_p) if self.hard else denoised.log_p
        return self.compressor(denoised.x, log_p, torch.ones_like(log_p, dtype=torch.bool))

    def denoise(self, z: Float[Tensor, "S E"], t: float) -> Denoised:
        """Denoise at one noise level for all."""
        return self.denoiser(z, torch.full((len(z),), t, device=z.device))

    def decode(
        self,
        z: Float[Tensor, "B M E"],
        lengths: Int[Tensor, " B"],
        t: float = 0.0,
        last: Length = "expected",
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """Denoise every vector, infer where the next segment begins in each, and write them one after another.

        The last segment of a document ends where its existence does: at its expected length, or at a length drawn
        from its existence (``last="sampled"``, with ``generator``).
        """
        batch, count, _ = z.shape
        denoised = self.denoise(z.flatten(0, 1), t)
        x, begin = denoised.x.unflatten(0, (batch, count)), denoised.begin.unflatten(0, (batch, count))
        real = real_positions(lengths, count)
        is_last = torch.arange(count, device=z.device) == lengths[:, None] - 1
        offset = self._final_offset(denoised.begin, last, generator).view(batch, count)
        if count > 1:
            stitched = self.stitcher(*(v.flatten(0, 1) for v in (x[:, :-1], begin[:, :-1], x[:, 1:], begin[:, 1:])))
            inner = ~is_last[:, :-1]
            refined = stitched.x.view_as(x[:, :-1])
            x = torch.cat([torch.where(inner[..., None, None], refined, x[:, :-1]), x[:, -1:]], dim=1)
            between = torch.where(inner, stitched.likeliest.view(batch, -1), offset[:, :-1])
            offset = torch.cat([between, offset[:, -1:]], dim=1)
        offset = torch.where(real, offset, 0)
        longest = max(int(offset.sum(dim=1).max()), 1)
        out, total = lay_out(x, offset, longest)
        return Decoded(out, total, offset, denoised.log_p.exp().unflatten(0, (batch, count)))

    def _final_offset(
        self, begin: Float[Tensor, "S L"], last: Length, generator: torch.Generator | None
    ) -> Int[Tensor, " S"]:
        chance = offset_prior(begin).exp()
        if last == "sampled":
            return torch.multinomial(chance.clamp(min=0), 1, generator=generator)[:, 0] + 1
        steps = torch.arange(1, chance.shape[1] + 1, device=chance.device)
        return (chance * steps).sum(dim=-1).round().long().clamp(1, chance.shape[1])
