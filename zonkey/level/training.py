"""What one training step asks of a level: all passes and loss terms, for both objectives.

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
from zonkey.losses import (
    LevelLosses,
    LevelMetrics,
    best_interpolation,
    codebook_loss,
    contrastive_loss,
    existence_loss,
    offset_loss,
    spread_loss,
    weighted_mean,
)
from zonkey.sphere import geodesic, mix, sphere_noise, to_sphere

WORTH = 0.5  # of the positions of windows get a reconstruction loss: the heaviest
THROUGH = 4  # vectors of a segment that are decoded through the level below, on average
MASK_RATE = 0.2  # of a masked row's vectors (paper): 80% mask vector, 10% another vector, 10% kept


@dataclass(frozen=True)
class Truth:
    """What reconstructions are compared with: byte ids and their codebook, or vectors and sampled negatives."""

    x: Float[Tensor, "B N D"]
    lengths: Int[Tensor, " B"]
    ids: Int[Tensor, "B N"] | None = None
    codebook: Float[Tensor, "V D"] | None = None
    negatives: Int[Tensor, " K"] | None = None  # flat positions

    def loss(
        self,
        x: Float[Tensor, "R L D"],
        index: Int[Tensor, "R L"],
        weight: Float[Tensor, "R L"],
        regression: float,
    ) -> tuple[Float[Tensor, "R L"], Float[Tensor, "R L"]]:
        """Loss and correctness (0 or 1) of the positions of decoded windows.

        Windows overlap, so most positions carry almost no weight. Only the WORTH heaviest fraction is computed,
        the rest is 0: a fixed capacity that holds practically all of the weight.
        """
        shape = index.shape
        chosen = weight.detach().flatten().topk(max(int(index.numel() * WORTH), 1)).indices
        x, at = x.flatten(0, 1).index_select(0, chosen), index.flatten()[chosen]
        if self.ids is not None and self.codebook is not None:
            loss, correct = codebook_loss(x, self.codebook, self.ids.flatten()[at])
        else:
            flat = self.x.flatten(0, 1)
            truth = flat.index_select(0, at)
            loss, correct, distance = contrastive_loss(x, truth, flat[self.negatives])
            loss = loss + regression * distance
        both = torch.stack([loss, correct.to(loss.dtype)])
        loss, right = both.new_zeros(2, index.numel()).index_copy(1, chosen, both)
        return loss.view(shape), right.detach().view(shape)


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
    logits, segments = level.split(
        truth.x, truth.lengths, generator if sampled else None, level.capacity(batch, positions)
    )
    rows = _rows(level, truth, segments, weights, generator)
    z = level.compressor(rows.x, segments.log_p[rows.slot], segments.mask[rows.slot])
    objective = _flow if config.objective == "flow" else _ddmm
    step = objective(level, config, z, segments, rows, truth, weights, generator)
    count = len(segments.start)
    position, sequence, offset_error = _stitch(level, step, segments, truth, weights, generator)
    masked = weighted_mean(step.loss, segments.share[rows.slot] * rows.masked)
    at_bytes = truth.ids is not None
    losses = LevelLosses(
        clean=weighted_mean(step.loss[:count], step.weight),
        existence=_existence(step.denoised, segments, rows.slot),
        window=window_penalty(logits, real, level.config.window),
        short=short_penalty(logits, real, level.config.vectors),
        rate=rate_penalty(logits, real, level.config.target_rate),
        decisive=indecision(logits, real),
        dirty=step.dirty,
        latent=step.latent,
        noisy=step.noisy,
        through=_through(step, segments, below, weights, generator),
        masked=None if at_bytes else masked,
        masked_bytes=masked if at_bytes else None,
        spread=spread_loss(z[:count], segments.document, segments.valid, max(count // 2, 1)),
        position=position,
        sequence=sequence,
    )
    b = logits.detach().sigmoid()
    metrics = LevelMetrics(
        accuracy=weighted_mean(step.correct[:count], step.weight.detach()),
        noisy_accuracy=step.noisy_accuracy,
        begin_rate=weighted_mean(b, real.float()),
        decided=weighted_mean(((b < 0.1) | (b > 0.9)).float(), real.float()),
        offset_error=offset_error,
    )
    return LevelStep(segments, z[:count], losses, metrics)


@dataclass(frozen=True)
class _Pass:
    """What both objectives return."""

    denoised: Denoised  # of all rows
    loss: Float[Tensor, "R L"]
    correct: Float[Tensor, "R L"]  # 0 or 1
    weight: Float[Tensor, "S L"]  # shares, where the vector was (nearly) clean
    noisy_accuracy: Float[Tensor, ""]
    dirty: Float[Tensor, ""] | None = None
    latent: Float[Tensor, ""] | None = None
    noisy: Float[Tensor, ""] | None = None


def _flow(
    level: Level,
    config: ModelConfig,
    z: Float[Tensor, "R E"],
    segments: Segments,
    rows: _Rows,
    truth: Truth,
    weights: LossConfig,
    generator: torch.Generator,
) -> _Pass:
    """Spherical flow matching in one pass: half of the documents nearly clean, half at uniform noise levels.

    The latent head predicts the clean vector (no gradient into it); ``self_condition`` of the noised rows see
    an earlier estimate.
    """
    count = len(segments.start)
    parity = torch.randint(2, (), generator=generator, device=z.device)
    clean = (segments.document + parity) % 2 == 0
    clean = torch.cat([clean, torch.ones(len(z) - count, dtype=torch.bool, device=z.device)])
    t = torch.where(clean, _small_noise(len(z), config.flow.steps, generator, z.device), _uniform(z, generator))
    # With gradient, the easiest way to predict z from z_t would be to make all z alike.
    source = torch.where(clean[:, None], z, z.detach())
    z_t = geodesic(source, sphere_noise(tuple(z.shape), generator, z.device), t)
    estimate = torch.zeros_like(z)
    guessed = int(config.flow.self_condition * count / 2)
    if guessed:
        order = torch.rand(count, generator=generator, device=z.device) + ~clean[:count]
        order = order.topk(guessed).indices  # of the noised half
        with torch.no_grad():
            first = level.denoiser(z_t[order], t[order]).latent
        estimate = estimate.index_copy(0, order, first)
    denoised = level.denoiser(z_t, t, estimate)
    loss, correct = truth.loss(denoised.x, segments.index[rows.slot], segments.share[rows.slot], weights.regression)
    is_clean = clean[:count, None]
    noised = segments.share * ~is_clean
    error = (denoised.latent[:count] - z[:count].detach()).square().mean(dim=-1)
    return _Pass(
        denoised,
        loss,
        correct,
        weight=segments.share * is_clean,
        noisy_accuracy=weighted_mean(correct[:count], noised.detach()),
        latent=weighted_mean(error, (~clean[:count] & segments.valid).float()),
        noisy=weighted_mean(loss[:count] * (1 - t[:count, None]), noised),
    )


def _ddmm(
    level: Level,
    config: ModelConfig,
    z: Float[Tensor, "R E"],
    segments: Segments,
    rows: _Rows,
    truth: Truth,
    weights: LossConfig,
    generator: torch.Generator,
) -> _Pass:
    """Clean, noisy and dirty pass (paper, "DDMM").

    The noisy pass and both re-compressions run without gradient, as a sampler would (departs from the paper); the
    dirty pass learns to go from there towards the truth, at least as far as its step is long.
    """
    count, device = len(segments.start), z.device
    noise = sphere_noise(tuple(z.shape), generator, device)
    t = _small_noise(len(z), config.ddmm.steps, generator, device)
    denoised = level.denoiser(mix(z, noise, t), t)
    loss, correct = truth.loss(denoised.x, segments.index[rows.slot], segments.share[rows.slot], weights.regression)
    high = _uniform(z[:count], generator)
    low = (high - 1 / config.ddmm.steps).clamp(min=0)
    with torch.no_grad():
        start = _first(denoised, count)
        noise = noise[:count]
        noisy = level.denoiser(mix(level.recompress(start), noise, high), high)
        fresh = sphere_noise(tuple(noise.shape), generator, device)
        again = to_sphere((1 - config.ddmm.stochasticity) ** 0.5 * noise + config.ddmm.stochasticity**0.5 * fresh)
        dirty_z = mix(level.recompress(noisy), again, low)
    dirty = level.denoiser(dirty_z, low)
    true_x = level.windows(truth.x, segments).detach()
    share = segments.share.detach()
    least = (high - low) / high.clamp(min=1e-6)
    with torch.no_grad():
        part = best_interpolation(dirty.x, noisy.x, true_x, share, least)[:, None, None]
        target = noisy.x + part * (true_x - noisy.x)
    distance = (dirty.x - target).square().mean(dim=-1)
    _, dirty_correct = truth.loss(dirty.x.detach(), segments.index, share, 0.0)
    return _Pass(
        denoised,
        loss,
        correct,
        weight=segments.share,
        noisy_accuracy=weighted_mean(dirty_correct, share),
        dirty=weighted_mean(distance, segments.share) + existence_loss(dirty.log_p, segments.p, segments.valid),
    )


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
    level: Level, step: _Pass, segments: Segments, truth: Truth, weights: LossConfig, generator: torch.Generator
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Position and sequence loss, and the offset error, on a quarter of the neighbouring pairs."""
    count = len(segments.start)
    following = (torch.arange(count, device=segments.start.device) + 1).clamp(max=count - 1)
    pair = segments.valid & segments.valid[following] & (segments.document == segments.document[following])
    pair = pair & (segments.rank[following] == segments.rank + 1) & (step.weight.sum(dim=-1) > 0)
    order = torch.rand(count, generator=generator, device=pair.device) + pair
    left = order.topk(max(count // 4, 1)).indices
    right = following[left]
    x, begin = step.denoised.x, step.denoised.begin
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
    step: _Pass, segments: Segments, below: Below | None, weights: LossConfig, generator: torch.Generator
) -> Float[Tensor, ""] | None:
    """Decode some of the denoised vectors through the level below: its reconstruction loss reaches this level."""
    if below is None or not weights.through:
        return None
    count = len(segments.start)
    weight = (step.weight * segments.own).detach().flatten() + 1e-9
    chosen = torch.multinomial(weight, THROUGH * count, replacement=True, generator=generator)
    position = segments.index.flatten()[chosen]
    slot = below.slot.flatten()[position]
    vectors = step.denoised.x[:count].flatten(0, 1)[chosen]
    decoded = below.level.denoise(vectors, 0.0)
    share = below.segments.share[slot] * (step.weight.flatten()[chosen] > 0)[:, None]
    loss, _ = below.truth.loss(decoded.x, below.segments.index[slot], share, weights.regression)
    exists = existence_loss(decoded.log_p, below.segments.p[slot], below.segments.valid[slot])
    return weighted_mean(loss, share) + exists


def _first(denoised: Denoised, count: int) -> Denoised:
    return Denoised(denoised.x[:count], denoised.begin[:count], denoised.draft_begin[:count], None)


def _small_noise(rows: int, steps: int, generator: torch.Generator, device: torch.device) -> Float[Tensor, " R"]:
    """Last step size x Beta(1, 3) / its mean (paper, clean pass), by inverting the distribution function."""
    beta = 1 - (1 - torch.rand(rows, generator=generator, device=device)) ** (1 / 3)
    return (beta * 4 / steps).clamp(max=1.0)


def _uniform(z: Float[Tensor, "R E"], generator: torch.Generator) -> Float[Tensor, " R"]:
    return torch.rand(len(z), generator=generator, device=z.device)
