"""Unconditional generation: noise at one level becomes a segment, segments become text.

Shapes: S samples, P positions so far, Q of a block, D width.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from zonkey.config import SamplerConfig
from zonkey.flow import Candidates, Flow, expected, scores
from zonkey.level.module import Length
from zonkey.model import Zonkey
from zonkey.runtime import generator as seeded
from zonkey.sphere import SAME, geodesic, mix, renew, sphere_noise
from zonkey.text import Latents

Watch = Callable[[float, list[str]], None]
TRIES = 16  # at a text, before it is written in known vectors whatever the flow asks for


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
        level: one segment of this level becomes one text.
        steps: of the sampler (for every block of a flow); None takes the model's own number.
        length: end where existence is expected to end, or at a length drawn from it; flows say themselves how many
            vectors there are, and this is about the last of them.
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
    return sample(model, n, level, steps or model.config.steps, length, seeded(seed, device=model.device))


@torch.no_grad()
def sample(
    model: Zonkey,
    n: int,
    level: int,
    steps: int,
    length: Length,
    generator: torch.Generator,
    watch: Watch | None = None,
) -> list[str]:
    """``n`` texts of one segment of ``level`` each; ``watch`` is shown (t, texts so far) before every step."""
    if model.config.objective == "flow":
        return _flow(model, n, level, steps, length, generator, watch)
    return _ddmm(model, n, level, steps, length, generator, watch)


def _flow(
    model: Zonkey, n: int, level: int, steps: int, length: Length, generator: torch.Generator, watch: Watch | None
) -> list[str]:
    """Texts whose vectors are all known: one that asks for an unknown vector is given up, and another is begun.

    So they are drawn as the flow draws those which need none. A text that is watched, or that takes the likeliest, has
    one try, and known vectors alone.
    """

    def show(t: float, x: Float[Tensor, "S P D"]) -> None:
        if watch:
            watch(t, _read(model, level, x, length, generator))

    tries = 0 if watch or model.config.sampler.choice == "likeliest" else TRIES
    found: list[str] = []
    for left in range(tries, -1, -1):
        x = _drawn(model, n - len(found), level, steps, generator, show, certain=not left)
        complete = x[~_lost(x, model.levels[level].flow)]
        found += _read(model, level, complete, length, generator)
        if len(found) == n:
            break
    return found


def _drawn(
    model: Zonkey,
    n: int,
    level: int,
    steps: int,
    generator: torch.Generator,
    show: Callable[[float, Tensor], None],
    certain: bool,
) -> Float[Tensor, "S P D"]:
    """Block after block of a window leaves the noise; a flow that heard an estimate in training hears its last answer.

    The first end ends a text; ``certain`` ones ask for no unknown vector. What there is so far is shown with its noise
    level before every step.
    """
    flow, sampler = model.levels[level].flow, model.config.sampler
    assert flow is not None  # the objective is flow
    candidates, least = model.candidates(level), model.config.flow.least_noise
    candidates = candidates.certain if certain else candidates
    known, seen = candidates.vectors.new_zeros(n, 0, candidates.vectors.shape[-1]), flow.unread
    while known.shape[1] < flow.window and not ((_ends(known, flow) < known.shape[1]) | _lost(known, flow)).all():
        start = known.shape[1]
        if start:
            seen = flow.read(known[:, start - flow.block :], seen, start - flow.block)
        shape = (n, min(flow.block, flow.window - start), known.shape[-1])
        x, estimate = sphere_noise(shape, generator, model.device), known.new_zeros(shape)
        for step in range(steps):
            t, following = (1 - (1 - least) * at / steps for at in (step, step + 1))
            show(t, torch.cat([known, x], dim=1))
            asked = flow(x, known.new_full(shape[:2], t), estimate, known, start, seen)
            chosen = _choose(asked, candidates, sampler, generator)
            if step + 1 < steps:
                mean = expected(asked, candidates, sampler.temperature)
                x = _step(x, mean, chosen, t, following, sampler, generator)
                estimate = mean if model.config.flow.self_condition else estimate
        known = torch.cat([known, chosen], dim=1)
    return known


def _choose(
    asked: Float[Tensor, "S Q D"], candidates: Candidates, sampler: SamplerConfig, generator: torch.Generator
) -> Float[Tensor, "S Q D"]:
    """A candidate for every position: the likeliest, or one that is drawn."""
    logits = scores(asked, candidates)
    if sampler.choice == "likeliest":
        return candidates.vectors[logits.argmax(dim=-1)]
    if not logits.isfinite().all():
        raise ValueError("what the model computes is not finite (NaN or infinity); train or copy the model again")
    chance = nucleus((logits / sampler.temperature).softmax(dim=-1), sampler.nucleus)
    at = torch.multinomial(chance.flatten(0, 1), 1, generator=generator).view(asked.shape[:2])
    return candidates.vectors[at]


def nucleus(chance: Float[Tensor, "... K"], share: float) -> Float[Tensor, "... K"]:
    """The likeliest that together have this ``share`` of all probability; 0 for the others."""
    if share == 1:
        return chance
    ordered, order = chance.sort(dim=-1, descending=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(chance).scatter(-1, order, ordered.where(before < share, 0.0))


def _step(
    x: Float[Tensor, "S Q D"],
    estimate: Float[Tensor, "S Q D"],
    chosen: Float[Tensor, "S Q D"],
    t: float,
    following: float,
    sampler: SamplerConfig,
    generator: torch.Generator,
) -> Float[Tensor, "S Q D"]:
    """From noise level ``t`` to the following one.

    Along the geodesic towards what is expected, with a part of the noise drawn anew; or (ancestral sampling) what was
    drawn, with fresh noise.
    """
    drawn = sampler.choice == "drawn"
    flat, goal = x.flatten(0, 1), (chosen if drawn else estimate).flatten(0, 1)
    level = flat.new_full((len(flat),), following)
    noised = goal
    if drawn or sampler.stochasticity:
        noised = geodesic(goal, sphere_noise(tuple(goal.shape), generator, goal.device), level)
    if drawn:
        return noised.view_as(x)
    out = geodesic(flat, goal, 1 - level / t)
    return (renew(out, noised, sampler.stochasticity) if sampler.stochasticity else out).view_as(x)


def _ends(x: Float[Tensor, "S P D"], flow: Flow) -> Int[Tensor, " S"]:
    """Where the first end stands, or P; a text has at least one vector."""
    ended = cosine_similarity(x, flow.end, dim=-1) > SAME
    return _first(ended & (torch.arange(x.shape[1], device=x.device) > 0))


def _lost(x: Float[Tensor, "S P D"], flow: Flow | None) -> Bool[Tensor, " S"]:
    """Which texts hold an unknown vector before their end."""
    if flow is None or flow.unknown is None:
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    return _first(cosine_similarity(x, flow.unknown, dim=-1) > SAME) < _ends(x, flow)


def _first(there: Bool[Tensor, "S P"]) -> Int[Tensor, " S"]:
    """Where it is true for the first time, or P."""
    return (there.cumsum(dim=1) == 0).sum(dim=1)


def _read(
    model: Zonkey, level: int, x: Float[Tensor, "S P D"], length: Length, generator: torch.Generator
) -> list[str]:
    """Texts of windows of ``level``, up to their first end."""
    flow = model.levels[level].flow
    assert flow is not None
    if not len(x):
        return []
    lengths = _ends(x, flow)
    x = x[:, : int(lengths.max())]
    if level == 0:
        return model.read(x, lengths)
    return model.decode(Latents(level - 1, x, lengths), last=length, generator=generator)


def _ddmm(
    model: Zonkey, n: int, level: int, steps: int, length: Length, generator: torch.Generator, watch: Watch | None
) -> list[str]:
    """Denoise, compress, noise again a little less (paper, sampling); part of the noise stays, part is fresh."""
    part, stochasticity = model.levels[level], model.config.ddmm.stochasticity
    lengths = torch.ones(n, dtype=torch.long, device=model.device)
    z = sphere_noise((n, part.config.vectors * part.config.width), generator, model.device)
    noise, noisy = z, z
    for step in range(steps):
        t = 1 - step / steps
        if watch:
            watch(t, model.decode(Latents(level, noisy[:, None], lengths), t, length, generator))
        z = part.recompress(part.denoise(noisy, t))
        fresh = sphere_noise(tuple(z.shape), generator, z.device)
        noise = renew(noise, fresh, stochasticity)
        noisy = mix(z, noise, torch.full((len(z),), 1 - (step + 1) / steps, device=z.device))
    return model.decode(Latents(level, z[:, None], lengths), last=length, generator=generator)
