"""What one training step asks of a level: all passes and loss terms.

Shapes: B documents, N positions, S segments (slots), L window, D width, E = C x D, R rows of a pass.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from zonkey.config import LossConfig, ModelConfig
from zonkey.denoiser import Denoised
from zonkey.existence import (
    Segments,
    indecision,
    rate_penalty,
    real_positions,
    short_penalty,
    window_penalty,
)
from zonkey.level.module import Level
from zonkey.level.objectives import clean_pass, generative_terms
from zonkey.level.truth import Truth
from zonkey.losses import LevelLosses, LevelMetrics, existence_loss, offset_loss, spread_loss, weighted_mean
from zonkey.phases import reconstructs

THROUGH = 0.5  # of the vectors of a level are decoded through the level below
UNLIKELY = 1e-9  # so that sampling without weight is defined; what it draws counts for nothing
MASK_RATE = 0.2  # of a masked row's vectors (paper): 80% mask vector, 10% another vector, 10% kept


@dataclass(frozen=True)
class Below:
    """The level below, for reconstruction through it."""

    level: Level
    segments: Segments
    truth: Truth
    slot: Int[Tensor, "B N"]  # which segment below each position is


@dataclass(frozen=True)
class LevelStep:
    """What a training step leaves for the level above and for the optimiser."""

    segments: Segments
    z: Float[Tensor, "S E"]
    losses: LevelLosses
    metrics: LevelMetrics

    def detached(self) -> "LevelStep":
        """The same without gradient: data-parallel training waits for a gradient of all that a step returns."""
        segments = replace(self.segments, log_p=self.segments.log_p.detach(), share=self.segments.share.detach())
        losses = LevelLosses(**{name: term.detach() for name, term in self.losses.named().items()})
        return LevelStep(segments, self.z.detach(), losses, self.metrics)


@dataclass(frozen=True)
class _Rows:
    """Windows that pass through compressor and denoiser: all segments, then some again with vectors masked."""

    x: Float[Tensor, "R L D"]
    slot: Int[Tensor, " R"]
    masked: Bool[Tensor, "R L"]


def level_step(
    level: Level,
    config: ModelConfig,
    weights: LossConfig,
    truth: Truth,
    below: Below | None,
    generator: torch.Generator,
    sampled: bool = True,
) -> LevelStep:
    """All loss terms of one level; ``sampled=False`` takes the deterministic split (validation)."""
    batch, positions, _ = truth.x.shape
    real = real_positions(truth.lengths, positions)
    whole = reconstructs(weights)
    chosen = not weights.predict or (whole and level.config.splits_alone)  # begins, by foresight
    if sampled and chosen:
        level.splitter.settle()
    logits, segments = level.split(
        truth.x, truth.lengths, generator if sampled else None, level.capacity(batch, positions), truth.marks
    )
    splitting = _splitting(level, logits, real, truth, weights, sampled and not chosen)
    b = logits.detach().sigmoid()
    begin_rate = weighted_mean(b, real.float())
    decided = weighted_mean(((b < 0.1) | (b > 0.9)).float(), real.float())
    if not whole:
        z = logits.new_zeros(len(segments.start), level.config.width * level.config.vectors)
        return LevelStep(segments, z, LevelLosses(**splitting), LevelMetrics(begin_rate, decided))
    rows = _rows(level, truth, segments, weights, generator)
    z = level.compressor(rows.x, segments.log_p[rows.slot], segments.mask[rows.slot])
    denoised = clean_pass(level, config, z, generator)
    share = segments.share[rows.slot]
    loss, correct = truth.loss(denoised.x, segments.index[rows.slot], share, weights.regression)
    count = len(segments.start)
    clean, z = denoised.take(slice(count)), z[:count]
    generative = generative_terms(level, config, z, clean, segments, truth, weights, generator)
    position, sequence, offset_error = _stitch(level, clean, segments, truth, weights, generator)
    masked = weighted_mean(loss, share * rows.masked)
    at_bytes = truth.ids is not None
    losses = LevelLosses(
        clean=weighted_mean(loss[:count], segments.share),
        existence=_existence(denoised, segments, rows.slot),
        **splitting,
        dirty=generative.dirty,
        noisy=generative.noisy,
        through=_through(clean, segments, below, weights, generator),
        masked=None if at_bytes else masked,
        masked_bytes=masked if at_bytes else None,
        spread=spread_loss(z, segments.document, segments.valid, max(count // 2, 1)),
        position=position,
        sequence=sequence,
    )
    metrics = LevelMetrics(
        begin_rate,
        decided,
        accuracy=weighted_mean(correct[:count], segments.share.detach()),
        noisy_accuracy=generative.noisy_accuracy,
        offset_error=offset_error,
    )
    return LevelStep(segments, z, losses, metrics)


def _splitting(
    level: Level,
    logits: Float[Tensor, "B N"],
    real: Bool[Tensor, "B N"],
    truth: Truth,
    weights: LossConfig,
    observed: bool,
) -> dict[str, Tensor]:
    """The splitter's terms; none where it does not learn. ``observed``: it takes note of what calls for a begin."""
    config = level.config
    if config.splitting != "learned":
        return {}
    terms = {
        "window": window_penalty(logits, real, config.window),
        "short": short_penalty(logits, real, config.vectors),
        "rate": rate_penalty(logits, real, config.target_rate),
        "decisive": config.decisiveness * indecision(logits, real),
    }
    if level.predictor is not None and weights.predict:
        foresight = level.predictor(truth.x, real, truth.candidates, truth.ids)
        terms["predict"] = foresight.loss
        if observed:
            level.splitter.observe(logits, foresight.signal, real)
        terms["surprise"] = -config.foresight * weighted_mean(foresight.signal * logits.sigmoid(), real.float())
    return terms


def _rows(level: Level, truth: Truth, segments: Segments, weights: LossConfig, generator: torch.Generator) -> _Rows:
    """All windows, and a fraction of them again with vectors masked: 80% mask vector, 10% another, 10% kept."""
    count, device = len(segments.start), truth.x.device
    x = level.windows(truth.x, segments)
    wanted = weights.masked if truth.ids is None else weights.masked_bytes
    extra = int(count * weights.masked_rows) if wanted else 0
    slot = torch.randperm(count, generator=generator, device=device)[:extra]
    shape = (extra, x.shape[1])
    chosen = torch.rand(shape, generator=generator, device=device) < MASK_RATE
    kind = torch.rand(shape, generator=generator, device=device)[..., None]
    other = x[slot].roll(1, 0)
    changed = torch.where(kind < 0.8, level.mask_vector.to(x.dtype), torch.where(kind < 0.9, other, x[slot]))
    altered = torch.where(chosen[..., None], changed, x[slot])
    none = torch.zeros(count, x.shape[1], dtype=torch.bool, device=device)
    return _Rows(
        torch.cat([x, altered]),
        torch.cat([torch.arange(count, device=device), slot]),
        torch.cat([none, chosen & segments.mask[slot]]),
    )


def _existence(denoised: Denoised, segments: Segments, slot: Int[Tensor, " R"]) -> Float[Tensor, ""]:
    target, valid = segments.p[slot], segments.valid[slot]
    both = (denoised.log_p, denoised.draft_log_p)
    return torch.stack([existence_loss(log_p, target, valid) for log_p in both]).mean()


def _stitch(
    level: Level, clean: Denoised, segments: Segments, truth: Truth, weights: LossConfig, generator: torch.Generator
) -> tuple[Float[Tensor, ""] | None, Float[Tensor, ""] | None, Float[Tensor, ""]]:
    """Position and sequence loss (None while they wait), and the offset error, on a quarter of the pairs."""
    if not weights.position and not weights.sequence:
        return None, None, torch.zeros((), device=clean.x.device)
    count = len(segments.start)
    following = (torch.arange(count, device=segments.start.device) + 1).clamp(max=count - 1)
    pair = segments.valid & segments.valid[following] & (segments.document == segments.document[following])
    pair = pair & (segments.rank[following] == segments.rank + 1)
    order = torch.rand(count, generator=generator, device=pair.device) + pair
    left = order.topk(max(count // 4, 1)).indices
    right = following[left]
    x, begin = clean.x, clean.begin
    stitched = level.stitcher(x[left], begin[left], x[right], begin[right])
    offset = segments.start[right] - segments.start[left]
    use = pair[left].float()
    position = offset_loss(stitched.log_offset, offset, segments.share[right, 0] * use)
    share = segments.share[left] * use[:, None]
    loss, _ = truth.loss(stitched.x, segments.index[left], share, weights.regression)
    sequence = weighted_mean(loss, share)
    error = weighted_mean((stitched.likeliest - offset).abs().float(), use)
    return position, sequence, error


def _through(
    clean: Denoised, segments: Segments, below: Below | None, weights: LossConfig, generator: torch.Generator
) -> Float[Tensor, ""] | None:
    """Decode some of the denoised vectors through the level below: its reconstruction loss reaches this level."""
    if below is None or not weights.through:
        return None
    weight = (segments.share * segments.own).detach().flatten() + UNLIKELY
    rows = min(max(int(THROUGH * below.slot.numel()), 1), len(weight))
    chosen = torch.multinomial(weight, rows, generator=generator)
    position = segments.index.flatten()[chosen]
    slot = below.slot.flatten()[position]
    vectors = clean.x.flatten(0, 1)[chosen]
    decoded = below.level.denoise(vectors, 0.0)
    share = below.segments.share[slot] * (weight[chosen] > UNLIKELY)[:, None]
    loss, _ = below.truth.loss(decoded.x, below.segments.index[slot], share, weights.regression)
    exists = existence_loss(decoded.log_p, below.segments.p[slot], below.segments.valid[slot])
    return weighted_mean(loss, share) + exists
