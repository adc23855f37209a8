"""What a level learns beside reconstruction, so that it can generate: the terms of both objectives.

Shapes: S segments (slots), L window, D width, E = C x D, R rows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from zonkey.config import LossConfig, ModelConfig
from zonkey.denoiser import Denoised
from zonkey.existence import Segments
from zonkey.level.module import Level
from zonkey.level.truth import Truth
from zonkey.losses import best_interpolation, existence_loss, weighted_mean
from zonkey.sphere import PATHS, geodesic, mix, renew, sphere_noise


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


def latent_loss(
    level: Level, config: ModelConfig, z: Float[Tensor, "S E"], valid: Bool[Tensor, " S"], generator: torch.Generator
) -> Float[Tensor, ""]:
    """Spherical flow matching: the clean vector is predicted from one at a uniform noise level (squared error).

    ``flow.rows`` segments are drawn, one perhaps several times, each with noise of its own: to hide a vector again
    costs less than to read more text. ``flow.self_condition`` of them see an earlier estimate.
    """
    assert level.flow is not None  # the objective is flow
    rows = config.flow.rows
    z = z[torch.multinomial(valid.float(), rows, replacement=True, generator=generator)].detach()
    t = torch.rand(rows, generator=generator, device=z.device)
    z_t = geodesic(z, sphere_noise(tuple(z.shape), generator, z.device), t)
    estimate = torch.zeros_like(z)
    guessed = int(config.flow.self_condition * rows)
    if guessed:
        with torch.no_grad():
            first = level.flow(z_t[:guessed], t[:guessed], estimate[:guessed])
        estimate = torch.cat([first, estimate[guessed:]])
    return (level.flow(z_t, t, estimate) - z).square().mean()


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
