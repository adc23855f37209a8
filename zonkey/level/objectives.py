"""What a level learns beside reconstruction, so that it can generate: the terms of both objectives.

Shapes: B documents, N positions, S segments (slots), L window, Q hidden positions, K candidates, D width,
E = C x D, R rows.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from zonkey.config import FlowConfig, LossConfig, ModelConfig
from zonkey.denoiser import Denoised
from zonkey.existence import Segments
from zonkey.flow import Candidates, Flow, expected, recognised, vocabulary_loss
from zonkey.level.module import Level
from zonkey.level.truth import Truth
from zonkey.losses import best_interpolation, existence_loss, weighted_mean
from zonkey.sphere import PATHS, geodesic, mix, renew, sphere_noise

BLIND = 0.75  # of the blocks that a flow learns from are noise alone: where sampling starts
BUCKETS = 4  # of windows of like length


@dataclass(frozen=True)
class Generative:
    """Terms of one objective; None where they belong to the other, or wait."""

    noisy_accuracy: Float[Tensor, ""]
    dirty: Float[Tensor, ""] | None = None
    noisy: Float[Tensor, ""] | None = None


def clean_pass(level: Level, config: ModelConfig, z: Float[Tensor, "R E"], generator: torch.Generator) -> Denoised:
    """Denoise vectors with a little noise, so that near vectors give the same segment.

    Noise levels are Beta(1, 3) with mean ``clean_noise`` (paper, clean pass: with the length of a sampling step).
    """
    beta = 1 - (1 - torch.rand(len(z), generator=generator, device=z.device)) ** (1 / 3)
    t = (beta * 4 * level.config.clean_noise).clamp(max=1.0)
    noise = sphere_noise(tuple(z.shape), generator, z.device)
    return level.denoiser(PATHS[config.objective](z, noise, t), t)


def generative_terms(
    level: Level,
    config: ModelConfig,
    z: Float[Tensor, "S E"],
    clean: Denoised,
    segments: Segments,
    truth: Truth,
    weights: LossConfig,
    generator: torch.Generator,
) -> Generative:
    """The objective's terms on ``generative_rows`` of the segments; ``clean`` is what the clean pass made of all.

    No gradient reaches ``z``: the easiest way to predict vectors from noise would be to make them all alike.
    """
    flow = config.objective == "flow"
    if not (weights.noisy if flow else weights.dirty):
        return Generative(torch.zeros((), device=z.device))
    rows = max(round(level.config.generative_rows * len(z)), 1)
    slots = torch.randperm(len(z), generator=generator, device=z.device)[:rows]
    z, segments = z[slots].detach(), segments.take(slots)
    if flow:
        return _flow(level, z, segments, truth, weights, generator)
    return _ddmm(level, config, z, clean.take(slots), segments, truth, generator)


def flow_loss(
    level: Level,
    config: FlowConfig,
    x: Float[Tensor, "B N D"],
    segments: Segments,
    candidates: Candidates,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Cross-entropy of what hidden positions of windows were, among ``candidates``, up to the end of the segment.

    Every block has a noise level of its own, uniform between ``least_noise`` and 1, or 1 in a share :data:`BLIND` of
    all. Where the truth is none of the candidates the one that stands for these is asked for.
    """
    flow = level.flow
    assert flow is not None  # the objective is flow
    candidates = replace(candidates, vectors=candidates.vectors.detach())
    count = config.rows * len(x)
    rows = torch.multinomial(segments.valid.float(), count, replacement=True, generator=generator)
    taken = segments.take(rows)
    window, device = taken.own.shape[1], x.device
    truth = torch.where(taken.own[..., None], level.windows(x, taken), flow.end).detach()
    share = torch.cat([taken.own[:, :1], taken.own[:, :-1]], dim=1).float()  # the first end counts, too
    blocks = (count, -(-window // config.block))
    t = torch.rand(blocks, generator=generator, device=device) * (1 - config.least_noise) + config.least_noise
    t = torch.where(torch.rand(blocks, generator=generator, device=device) < BLIND, 1.0, t)
    t = t.repeat_interleave(config.block, dim=1)[:, :window]
    noise = sphere_noise(tuple(truth.shape), generator, device)
    hidden = geodesic(truth.flatten(0, 1), noise.flatten(0, 1), t.flatten()).view_as(truth)
    order, total, asked = share.sum(dim=1).argsort(stable=True), x.new_zeros(()), x.new_zeros(())
    for part in order.chunk(BUCKETS):  # by length: little is computed behind the end
        longest = int(share[part].sum(dim=1).max())
        found = _asked(flow, config, truth[part, :longest], hidden[part, :longest], t[part, :longest], candidates)
        right = recognised(truth[part, :longest], candidates.vectors, candidates.unknown)
        loss = vocabulary_loss(found.flatten(0, 1), right.flatten(), candidates).view_as(right)
        total = total + (loss * share[part, :longest]).sum()
        asked = asked + (share[part, :longest] * (right >= 0)).sum()
    return total / asked.clamp(min=1.0)


def _asked(
    flow: Flow,
    config: FlowConfig,
    truth: Float[Tensor, "R Q D"],
    hidden: Float[Tensor, "R Q D"],
    t: Float[Tensor, "R Q"],
    candidates: Candidates,
) -> Float[Tensor, "R Q D"]:
    known = truth if config.block < flow.window else truth[:, :0]
    estimate = torch.zeros_like(hidden)
    guessed = int(config.self_condition * len(hidden))
    if guessed:
        with torch.no_grad():
            first = flow(hidden[:guessed], t[:guessed], estimate[:guessed], known[:guessed])
        estimate = torch.cat([expected(first, candidates), estimate[guessed:]])
    return flow(hidden, t, estimate, known)


def _flow(
    level: Level,
    z: Float[Tensor, "S E"],
    segments: Segments,
    truth: Truth,
    weights: LossConfig,
    generator: torch.Generator,
) -> Generative:
    """The segment is predicted from its vector at a uniform noise level; little is asked where there is much noise."""
    t = torch.rand(len(z), generator=generator, device=z.device)
    denoised = level.denoiser(geodesic(z, sphere_noise(tuple(z.shape), generator, z.device), t), t)
    loss, correct = truth.loss(denoised.x, segments.index, segments.share, weights.regression)
    return Generative(
        noisy_accuracy=weighted_mean(correct, segments.share.detach()),
        noisy=weighted_mean(loss * (1 - t[:, None]), segments.share)
        + existence_loss(denoised.log_p, segments.p, segments.valid),
    )


def _ddmm(
    level: Level,
    config: ModelConfig,
    z: Float[Tensor, "S E"],
    clean: Denoised,
    segments: Segments,
    truth: Truth,
    generator: torch.Generator,
) -> Generative:
    """Noisy and dirty pass (paper, "DDMM").

    The noisy pass and both re-compressions run without gradient, as a sampler would (departs from the paper); the
    dirty pass learns to go from there towards the truth, at least as far as its step is long.
    """
    count, device = len(z), z.device
    high = torch.rand(count, generator=generator, device=device)
    low = (high - 1 / config.ddmm.steps).clamp(min=0)
    with torch.no_grad():
        noise, fresh = (sphere_noise(tuple(z.shape), generator, device) for _ in range(2))
        noisy = level.denoiser(mix(level.recompress(clean), noise, high), high)
        again = renew(noise, fresh, config.ddmm.stochasticity)
        dirty_z = mix(level.recompress(noisy), again, low)
    dirty = level.denoiser(dirty_z, low)
    true_x = level.windows(truth.x, segments).detach()
    share = segments.share.detach()
    least = (high - low) / high.clamp(min=1e-6)
    with torch.no_grad():
        part = best_interpolation(dirty.x, noisy.x, true_x, share, least)[:, None, None]
        target = noisy.x + part * (true_x - noisy.x)
    distance = (dirty.x - target).square().mean(dim=-1)
    _, correct = truth.loss(dirty.x.detach(), segments.index, share, 0.0)
    return Generative(
        noisy_accuracy=weighted_mean(correct, share),
        dirty=weighted_mean(distance, segments.share) + existence_loss(dirty.log_p, segments.p, segments.valid),
    )
