"""Unconditional generation: noise at one level becomes latents, latents become text.

Shapes: S samples, E = C x D.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from zonkey.config import SamplerConfig
from zonkey.level import Level
from zonkey.level.module import Length
from zonkey.model import Zonkey
from zonkey.runtime import generator as seeded
from zonkey.sphere import geodesic, mix, renew, sphere_noise, to_sphere
from zonkey.text import Latents

Watch = Callable[[float, Float[Tensor, "S E"]], None]


def generate(
    model: Zonkey,
    n: int,
    *,
    level: int | None = None,
    steps: int | None = None,
    length: Length = "expected",
    seed: int = 0,
) -> list[str]:
    """``n`` texts from noise at ``level`` (the top if None); how long they are is the model's choice.

    Args:
        model: a trained model.
        n: how many texts.
        level: one compressed vector of this level becomes one text.
        steps: denoiser calls; None takes the model's own number.
        length: end where existence is expected to end, or at a length drawn from it.
        seed: the same seed gives the same texts.

    Raises:
        ValueError: a count below 0, no step, an unknown length, or no such level.
    """
    if n < 0:
        raise ValueError(f"n is {n}; it must be 0 or more")
    if steps is not None and steps < 1:
        raise ValueError(f"steps is {steps}; at least 1 is needed")
    if length not in ("expected", "sampled"):
        raise ValueError(f"length is {length!r}; choose 'expected' or 'sampled'")
    level = model.check_level(level)
    if n == 0:
        return []
    random = seeded(seed, device=model.device)
    z = sample_latents(model, n, level, steps, random)
    lengths = torch.ones(n, dtype=torch.long, device=z.device)
    return model.decode(Latents(level, z[:, None], lengths), last=length, generator=random)


@torch.no_grad()
def sample_latents(
    model: Zonkey,
    n: int,
    level: int,
    steps: int | None,
    generator: torch.Generator,
    watch: Watch | None = None,
) -> Float[Tensor, "S E"]:
    """``n`` clean compressed vectors of ``level``; ``watch`` is shown (t, z) before every step."""
    part = model.levels[level]
    z = sphere_noise((n, part.config.vectors * part.config.width), generator, model.device)
    if model.config.objective == "flow":
        return _flow(part, z, steps or model.config.steps, model.config.sampler, generator, watch)
    return _ddmm(part, z, steps or model.config.steps, model.config.ddmm.stochasticity, generator, watch)


def _flow(
    level: Level,
    z: Float[Tensor, "S E"],
    steps: int,
    config: SamplerConfig,
    generator: torch.Generator,
    watch: Watch | None,
) -> Float[Tensor, "S E"]:
    """Step along the geodesic towards the predicted clean vector, which conditions the next prediction.

    Departs from plain flow matching twice, because both give more words that exist (docs/experiments.md): part of
    the noise is drawn anew, and late estimates are segments compressed again, so that they lie where data does.
    """
    assert level.flow is not None  # the objective is flow
    estimate = torch.zeros_like(z)
    for step in range(steps):
        t, following = 1 - step / steps, 1 - (step + 1) / steps
        if watch:
            watch(t, z)
        times = torch.full((len(z),), t, device=z.device)
        # Not on the sphere: a short estimate is an unsure one, which is what the next prediction saw in training.
        estimate = level.flow(z, times, estimate)
        if t < config.recompress_below:
            estimate = level.recompress(level.denoise(to_sphere(estimate), following))
        if step + 1 == steps:
            break
        z = geodesic(z, estimate, 1 - following / times)
        if config.stochasticity:
            noise = sphere_noise(tuple(z.shape), generator, z.device)
            z = renew(z, geodesic(estimate, noise, following * torch.ones_like(times)), config.stochasticity)
    return to_sphere(estimate)


def _ddmm(
    level: Level,
    z: Float[Tensor, "S E"],
    steps: int,
    stochasticity: float,
    generator: torch.Generator,
    watch: Watch | None,
) -> Float[Tensor, "S E"]:
    """Denoise, compress, noise again a little less (paper, sampling); part of the noise stays, part is fresh."""
    noise, noisy = z, z
    for step in range(steps):
        t = 1 - step / steps
        if watch:
            watch(t, noisy)
        z = level.recompress(level.denoise(noisy, t))
        fresh = sphere_noise(tuple(z.shape), generator, z.device)
        noise = renew(noise, fresh, stochasticity)
        noisy = mix(z, noise, torch.full((len(z),), 1 - (step + 1) / steps, device=z.device))
    return z
