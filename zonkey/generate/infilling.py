"""Infilling: known positions are held; unknown ones are searched with flows, or start from noise (``ddmm``).

Shapes: B candidates, N positions, S segments, D width, E = C x D.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import embedding

from zonkey.existence import Segments, real_positions, to_documents
from zonkey.generate.markup import Gap, parse_gaps
from zonkey.generate.search import UNKNOWN, Search
from zonkey.level import Level
from zonkey.losses import cosine_logits
from zonkey.model import Zonkey
from zonkey.runtime import generator as seeded
from zonkey.sphere import PATHS, sphere_noise, to_sphere

FREE_LENGTHS = (4, 8, 12, 16, 24, 32)  # bytes that are tried for a gap of free length
CONTEXT = 8  # bytes on both sides of a gap that count in a candidate's score


@dataclass(frozen=True)
class _Template:
    known: Int[Tensor, "B N"]
    unknown: Bool[Tensor, "B N"]
    lengths: Int[Tensor, " B"]


def infill(model: Zonkey, text: str, *, steps: int | None = None, seed: int = 0) -> str:
    """Fill the gaps of a text, ``{gap:12}`` with 12 bytes and ``{gap}`` with as many as fit best.

    With flows, words are searched that fit (:mod:`zonkey.generate.search`). With the ``ddmm`` objective, in every step
    the text so far goes up through all levels; segments that touch a gap are noised, less from step to step, denoised
    from the top down, and known bytes are put back; flows have no use for steps. Free lengths are tried side by side;
    the candidate whose gap and surroundings the model finds likeliest wins.

    Raises:
        ValueError: no gap, a malformed one, no step, or a text too short or too long for the model.
    """
    _check_steps(steps)
    parts = parse_gaps(text)
    choices = [(part.length,) if part.length else FREE_LENGTHS for part in parts if isinstance(part, Gap)]
    candidates = list(itertools.islice(itertools.product(*choices), 64))
    rows = []
    for sizes in candidates:
        left = iter(sizes)
        rows.append([part.encode() if isinstance(part, str) else next(left) for part in parts])
    filled, scores = _fill(model, _template(rows, model), steps, seed)
    best = max(range(len(scores)), key=scores.__getitem__)
    return _read(parts, candidates[best], filled[best])


def fill_gaps(
    model: Zonkey, texts: Sequence[Sequence[bytes | int]], *, steps: int | None = None, seed: int = 0
) -> list[bytes]:
    """Fill gaps of known length in many texts side by side, as :func:`infill` does.

    Args:
        model: a trained model.
        texts: of each text known bytes and lengths of gaps, in order; neither has to be whole characters.
        steps: of the sampler, with the ``ddmm`` objective; None takes the model's own number.
        seed: the same seed and texts give the same bytes.

    Raises:
        ValueError: no text, a gap of less than 1 byte, no step, or a text too short or too long for the model.
    """
    _check_steps(steps)
    if not texts:
        raise ValueError("give a list of at least one text with gaps")
    if bad := [part for text in texts for part in text if isinstance(part, int) and part < 1]:
        raise ValueError(f"a gap has {bad[0]} bytes; at least 1 is needed")
    return _fill(model, _template(texts, model), steps, seed)[0]


def _fill(model: Zonkey, template: _Template, steps: int | None, seed: int) -> tuple[list[bytes], list[float]]:
    """Whole texts, and the mean log probability of a byte where something was filled."""
    random, lengths = seeded(seed, device=model.device), template.lengths.tolist()
    if model.config.objective == "flow":
        holes = template.known.masked_fill(template.unknown, UNKNOWN).tolist()
        found = Search(model, random).fill([row[:length] for row, length in zip(holes, lengths, strict=True)])
        return [text for text, _ in found], [score for _, score in found]
    filled, scores = _denoised(model, template, steps or model.config.steps, random)
    return [bytes(row[:length]) for row, length in zip(filled.tolist(), lengths, strict=True)], scores.tolist()


def _check_steps(steps: int | None) -> None:
    if steps is not None and steps < 1:
        raise ValueError(f"steps is {steps}; at least 1 is needed")


def _template(texts: Sequence[Sequence[bytes | int]], model: Zonkey) -> _Template:
    rows = [[b for part in text for b in (part if isinstance(part, bytes) else [-1] * part)] for text in texts]
    limit = model.config.max_text_bytes
    if bad := [len(row) for row in rows if not 2 <= len(row) <= limit]:
        fix = "give a longer one" if bad[0] < 2 else "shorten the text or its gaps"
        raise ValueError(f"the text with its gaps filled has {bad[0]} bytes; this model takes 2 to {limit}: {fix}")
    longest = max(map(len, rows))
    known = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=model.device)
    lengths = torch.tensor([len(row) for row in rows], device=model.device)
    return _Template(known.clamp(min=0), known < 0, lengths)


def _read(parts: tuple[str | Gap, ...], lengths: tuple[int, ...], data: bytes) -> str:
    out, at, left = [], 0, iter(lengths)
    for part in parts:
        size = len(part.encode()) if isinstance(part, str) else next(left)
        out.append(part if isinstance(part, str) else data[at : at + size].decode("utf-8", errors="replace"))
        at += size
    return "".join(out)


@torch.no_grad()
def _denoised(
    model: Zonkey, template: _Template, steps: int, generator: torch.Generator
) -> tuple[Int[Tensor, "B N"], Float[Tensor, " B"]]:
    codebook = to_sphere(model.codebook)
    unknown = template.unknown[..., None]
    known = embedding(template.known, codebook)
    x = torch.where(unknown, model.levels[0].mask_vector, known)
    masked = template.unknown
    for step in range(steps):
        estimate = _round_trip(model, x, template, masked, 1 - step / steps, generator)
        x = torch.where(unknown, estimate, known)
        masked = torch.zeros_like(masked)
    logits = cosine_logits((estimate.float() @ codebook.T) / codebook[0].square().sum())
    filled = torch.where(template.unknown, logits.argmax(dim=-1), template.known)
    chance = logits.log_softmax(dim=-1).gather(2, filled[..., None])[..., 0]
    near = torch.nn.functional.max_pool1d(template.unknown.float(), 2 * CONTEXT + 1, 1, CONTEXT) > 0
    near = near & real_positions(template.lengths, x.shape[1])
    return filled, (chance * near).sum(dim=1) / near.sum(dim=1)


def _round_trip(
    model: Zonkey,
    x: Float[Tensor, "B N D"],
    template: _Template,
    masked: Bool[Tensor, "B N"],
    t: float,
    generator: torch.Generator,
) -> Float[Tensor, "B N D"]:
    """Up through all levels, then down; returns an estimate of every byte vector."""
    cuts: list[tuple[Segments, Bool[Tensor, " S"], Float[Tensor, "S E"], Int[Tensor, "B M"]]] = []
    lengths, touched = template.lengths, template.unknown
    for level in model.levels:
        _, segments = level.split(x, lengths)
        hit, blank = _any(touched, segments), _all(masked, segments)
        z = level.compress(x, segments)
        kept = int(segments.counts.max())
        x, lengths, slot = to_documents(z, segments, kept)
        cuts.append((segments, hit, z, slot))
        above = len(cuts)
        if above < len(model.levels):
            touched, masked = (v[slot] & real_positions(lengths, kept) for v in (hit, blank))
            x = torch.where(masked[..., None], model.levels[above].mask_vector, x)
    estimate: Tensor | None = None
    for level, (segments, hit, z, slot) in zip(reversed(model.levels), reversed(cuts), strict=True):
        if estimate is not None:
            real = real_positions(segments.counts, slot.shape[1])
            z = torch.where(hit[:, None], z.index_copy(0, slot[real], estimate[real]), z)
        estimate = _denoise(model, level, segments, hit, z, t, generator)
    assert estimate is not None  # there is at least one level
    return estimate


def _denoise(
    model: Zonkey,
    level: Level,
    segments: Segments,
    hit: Bool[Tensor, " S"],
    z: Float[Tensor, "S E"],
    t: float,
    generator: torch.Generator,
) -> Float[Tensor, "B N D"]:
    """Denoise all segments, noised where they touch a gap; every segment writes its own positions."""
    times = torch.where(hit, t, 0.0)
    noisy = PATHS[model.config.objective](to_sphere(z), sphere_noise(tuple(z.shape), generator, z.device), times)
    x = level.denoiser(torch.where(hit[:, None], noisy, z), times).x
    batch = len(segments.counts)
    longest = int((segments.start + segments.own.sum(dim=1)).max())
    where = segments.document[:, None] * longest + segments.start[:, None] + torch.arange(x.shape[1], device=x.device)
    out = x.new_zeros(batch * longest, x.shape[-1])
    return out.index_copy(0, where[segments.own], x[segments.own]).view(batch, longest, -1)


def _any(flags: Bool[Tensor, "B N"], segments: Segments) -> Bool[Tensor, " S"]:
    return (flags.flatten()[segments.index] & segments.own).any(dim=1)


def _all(flags: Bool[Tensor, "B N"], segments: Segments) -> Bool[Tensor, " S"]:
    return (flags.flatten()[segments.index] | ~segments.own).all(dim=1)
