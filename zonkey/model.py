"""The stack of levels: training step, and text to latents to text.

Shapes: B documents, N positions, M segments of a document, E = C x D.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding

from zonkey.config import LossConfig, ModelConfig, parse
from zonkey.existence import real_positions, to_documents
from zonkey.flow import UNKNOWN, Candidates, Flow
from zonkey.level import Below, Level, LevelStep, Truth, flow_loss, level_step
from zonkey.level.module import Length
from zonkey.pretrained import Pretrained
from zonkey.runtime import generator as seeded
from zonkey.sphere import PATHS, sphere_noise, to_sphere
from zonkey.splitter import marks_of, rise
from zonkey.text import BYTES, Latents, LevelSegmentation, Segmentation, to_tokens
from zonkey.transformer import initialise, start_local


@dataclass(frozen=True)
class ModelStep:
    """One training step: a level is None where it took no part."""

    loss: Float[Tensor, ""]
    levels: tuple[LevelStep | None, ...]
    latent: tuple[Float[Tensor, ""], ...] = ()  # of every level's flow, where flows are trained


class Zonkey(
    Pretrained,
    library_name="zonkey",
    tags=["hierarchical-diffusion", "differentiable-tokenizer"],
    license="mit",
    coders={ModelConfig: (lambda c: c.model_dump(mode="json"), lambda d: parse(ModelConfig, d, "config.json"))},
):
    """Bytes to vectors of vectors and back (paper, section "Zonkey").

    ``Zonkey(config)`` builds an untrained model; ``save_pretrained`` and ``from_pretrained`` keep it as
    ``model.safetensors`` and ``config.json``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.codebook = nn.Parameter(0.1 * torch.randn(BYTES, config.levels[0].width))
        levels = [Level(level, config.existence == "hard") for level in config.levels]
        self.levels = cast(Sequence[Level], nn.ModuleList(levels))
        initialise(self)
        for level in self.levels:
            if level.config.locality:
                start_local(level.compressor, level.config.locality)
                start_local(level.denoiser, level.config.locality)
        if config.objective == "flow":
            for index, level in enumerate(self.levels):  # last: levels start alike whatever samples them
                level.flow = Flow(level.config, config.flow.block, config.flow.vocabulary if index else 0)
                initialise(level.flow)

    # --- training ---------------------------------------------------------------------------------------------

    def forward(
        self,
        tokens: Int[Tensor, "B N"],
        lengths: Int[Tensor, " B"],
        weights: LossConfig | tuple[LossConfig, ...],
        generator: torch.Generator,
        only: int | Literal["flow"] | None = None,
        sampled: bool = True,
    ) -> ModelStep:
        """Losses of one level on frozen lower ones (``only``), of all levels jointly, or of all levels' flows; the
        weights are the same for all levels, or one set for each.

        Raises:
            ValueError: neither one set of weights nor one for each level.
        """
        each = weights if isinstance(weights, tuple) else (weights,) * len(self.levels)
        if len(each) != len(self.levels):
            raise ValueError(f"{len(each)} sets of weights for {len(self.levels)} levels; give one for each, or one")
        truth = self._byte_truth(tokens, lengths)
        below: Below | None = None
        steps: list[LevelStep | None] = []
        latent: list[Float[Tensor, ""]] = []
        z: Float[Tensor, "S E"] | None  # nobody reads a frozen top level's
        for index, level in enumerate(self.levels[: only + 1 if isinstance(only, int) else None]):
            batch, positions, _ = truth.x.shape
            if only is None or index == only:
                step = level_step(level, self.config, each[index], truth, below, generator, sampled)
                segments, z = step.segments, step.z
                steps.append(step)
            else:
                with torch.no_grad():
                    capacity = level.capacity(batch, positions)
                    _, segments = level.split(truth.x, truth.lengths, capacity=capacity, marks=truth.marks)
                    z = level.compress(truth.x, segments) if index + 1 < len(self.levels) else None
                steps.append(None)
            if only == "flow":
                latent.append(flow_loss(level, self.config.flow, truth.x, segments, self.candidates(index), generator))
            if index + 1 < len(self.levels) and z is not None:
                x, lengths, slot = to_documents(z, segments, level.kept(positions))
                below = Below(level, segments, truth, slot)
                negatives = self._negatives(lengths, x.shape[1], each[index + 1], generator)
                marks = rise(truth.marks, segments, slot)
                truth = Truth(x, lengths, self.levels[index + 1].worth, negatives=negatives, marks=marks)
        totals = [step.losses.total(own) for step, own in zip(steps, each, strict=False) if step is not None]
        loss = torch.stack([*latent, *totals]).sum()
        found = tuple(term.detach() for term in latent)
        return ModelStep(loss, tuple(step and step.detached() for step in steps), found)

    def candidates(self, level: int) -> Candidates:
        """What a position of ``level`` may be, for its flow: a byte or the end, or an entry of the vocabulary."""
        flow = self.levels[level].flow
        assert flow is not None  # the objective is flow
        if level:
            return Candidates(flow.vocabulary, flow.prior, flow.meaning, UNKNOWN % len(flow.vocabulary))
        vectors = torch.cat([to_sphere(self.codebook), flow.end[None]])
        return Candidates(vectors, vectors.new_zeros(len(vectors)))

    def _byte_truth(self, tokens: Int[Tensor, "B N"], lengths: Int[Tensor, " B"]) -> Truth:
        codebook = to_sphere(self.codebook)
        ids = tokens.clamp(max=BYTES - 1)
        marks = self._marks(ids, lengths)
        return Truth(embedding(ids, codebook), lengths, self.levels[0].worth, ids, codebook, marks=marks)

    def _marks(self, tokens: Int[Tensor, "B N"], lengths: Int[Tensor, " B"]) -> Bool[Tensor, "K B N"] | None:
        spaces = any(level.splitting == "spaces" for level in self.config.levels)
        return marks_of(tokens, lengths) if spaces else None

    def _negatives(
        self, lengths: Int[Tensor, " B"], positions: int, weights: LossConfig, generator: torch.Generator
    ) -> Int[Tensor, " K"]:
        real = real_positions(lengths, positions).flatten().float()
        return torch.multinomial(real, weights.negatives, replacement=True, generator=generator)

    # --- text up ----------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.codebook.device

    @torch.no_grad()
    def encode(self, texts: list[str], level: int | None = None) -> Latents:
        """Compress texts up to ``level`` (the top if None), with the deterministic split.

        Raises:
            ValueError: no such level, no text, or a text shorter than 2 bytes or longer than the model's limit.
        """
        level = self.check_level(level)
        x, lengths, _ = self.inputs(texts, level + 1)
        return Latents(level, x, lengths)

    @torch.no_grad()
    def inputs(
        self, texts: list[str], level: int
    ) -> tuple[Float[Tensor, "B N D"], Int[Tensor, " B"], Bool[Tensor, "K B N"] | None]:
        """What ``level`` cuts: byte vectors at level 0, compressed segments of the level below above; their number,
        and the text's marks where a level splits at spaces.

        Raises:
            ValueError: as :meth:`encode`.
        """
        x, lengths, marks = self._enter(texts)
        for part in self.levels[:level]:
            _, segments = part.split(x, lengths, marks=marks)
            x, lengths, slot = to_documents(part.compress(x, segments), segments, int(segments.counts.max()))
            marks = rise(marks, segments, slot)
        return x, lengths, marks

    @torch.no_grad()
    def segment(self, text: str) -> Segmentation:
        """Where every level begins its segments, as byte offsets, and every begin probability.

        Raises:
            ValueError: the text is shorter than 2 bytes or longer than the model's limit.
        """
        x, lengths, marks = self._enter([text])
        offsets = torch.arange(x.shape[1], device=x.device)
        found = []
        for level in self.levels:
            logits, segments = level.split(x, lengths, marks=marks)
            probability = logits[0].sigmoid().tolist()
            probability[0] = 1.0
            starts = offsets[segments.start]
            found.append(LevelSegmentation(tuple(starts.tolist()), tuple(probability), tuple(offsets.tolist())))
            x, lengths, slot = to_documents(level.compress(x, segments), segments, int(segments.counts.max()))
            marks = rise(marks, segments, slot)
            offsets = starts
        return Segmentation(text, tuple(found))

    def embed(self, texts: list[str]) -> tuple[Float[Tensor, "B N D"], Int[Tensor, " B"]]:
        """Byte vectors of texts, zeros after the end, and lengths."""
        x, lengths, _ = self._enter(texts)
        return x, lengths

    def _enter(
        self, texts: list[str]
    ) -> tuple[Float[Tensor, "B N D"], Int[Tensor, " B"], Bool[Tensor, "K B N"] | None]:
        tokens, lengths = to_tokens(texts, self.config.max_text_bytes)
        tokens, lengths = tokens.to(self.device), lengths.to(self.device)
        return embedding(tokens, to_sphere(self.codebook)), lengths, self._marks(tokens, lengths)

    # --- text down --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def decode(
        self,
        latents: Latents,
        noise: float = 0.0,
        last: Length = "expected",
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Texts of compressed segments; ``noise`` is the noise level they are at."""
        x, lengths = latents.vectors, latents.lengths
        for index in range(latents.level, -1, -1):
            decoded = self.levels[index].decode(x, lengths, noise if index == latents.level else 0.0, last, generator)
            x, lengths = decoded.x, decoded.lengths
        return self.read(x, lengths)

    def read(self, x: Float[Tensor, "B N D"], lengths: Int[Tensor, " B"]) -> list[str]:
        """Nearest bytes, as text; bytes that are no UTF-8 become U+FFFD."""
        return [text.decode("utf-8", errors="replace") for text in self.read_bytes(x, lengths)]

    def read_bytes(self, x: Float[Tensor, "B N D"], lengths: Int[Tensor, " B"]) -> list[bytes]:
        """Nearest bytes."""
        ids = (x.float() @ to_sphere(self.codebook).T).argmax(dim=-1).to(torch.uint8).cpu().numpy()
        return [row[:n].tobytes() for row, n in zip(ids, lengths.tolist(), strict=True)]

    @torch.no_grad()
    def reconstruct(self, texts: list[str], level: int | None = None, noise: float = 0.0, seed: int = 0) -> list[str]:
        """Texts up to ``level``, noised, and down again.

        Raises:
            ValueError: as :meth:`encode`; or the noise is not in [0, 1].
        """
        if not 0 <= noise <= 1:
            raise ValueError(f"noise is {noise}; it must lie between 0 (none) and 1 (nothing but noise)")
        latents = self.encode(texts, level)
        if noise:
            latents = Latents(latents.level, self.add_noise(latents.vectors, noise, seed), latents.lengths)
        return self.decode(latents, noise)

    def add_noise(self, z: Float[Tensor, "B M E"], t: float, seed: int) -> Float[Tensor, "B M E"]:
        """Noise vectors as the model's objective does."""
        flat = z.flatten(0, 1)
        noise = sphere_noise(tuple(flat.shape), seeded(seed, device=z.device), z.device)
        return PATHS[self.config.objective](flat, noise, torch.full((len(flat),), t, device=z.device)).view_as(z)

    # --- doors ------------------------------------------------------------------------------------------------

    def check_level(self, level: int | None) -> int:
        """The level's number; the top for None. Raises ValueError for one that is not there."""
        top = len(self.levels) - 1
        if level is None:
            return top
        if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= top:
            raise ValueError(f"level is {level!r}; this model has levels 0 to {top}")
        return level
