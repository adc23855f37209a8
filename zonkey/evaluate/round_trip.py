"""Text up to a level, noised, and down again: how much of it comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zonkey.evaluate.text import TextScore, compare
from zonkey.model import Zonkey
from zonkey.text import Latents

BATCH_BYTES = 16384  # of one batch, padding included


@dataclass(frozen=True)
class Reconstruction:
    """Texts that went up to ``level`` and came down from noise level ``noise``."""

    level: int
    noise: float
    score: TextScore
    results: tuple[str, ...]  # in the order of the texts


def reconstruction(
    model: Zonkey, texts: Sequence[str], level: int, noise: float = 0.0, seed: int = 0
) -> Reconstruction:
    """One level and one noise level; errors as :func:`noise_curve`."""
    return noise_curve(model, texts, level, [noise], seed)[0]


def noise_curve(
    model: Zonkey, texts: Sequence[str], level: int, noises: Sequence[float], seed: int = 0
) -> list[Reconstruction]:
    """One result for each noise level; every text is encoded once. Equal seeds give equal noise.

    Raises:
        ValueError: there is no text or no such level, a text is too short or too long for the model, or a
            noise level lies outside [0, 1].
    """
    if bad := [noise for noise in noises if not 0 <= noise <= 1]:
        raise ValueError(f"noise is {bad[0]}; it must lie between 0 (none) and 1 (nothing but noise)")
    if not texts:
        raise ValueError("give a list of at least one text")
    results = {noise: [""] * len(texts) for noise in noises}
    for number, rows in enumerate(batches(texts)):
        clean = model.encode([texts[row] for row in rows], level)
        for noise in noises:
            vectors = model.add_noise(clean.vectors, noise, seed + number) if noise else clean.vectors
            decoded = model.decode(Latents(clean.level, vectors, clean.lengths), noise)
            for row, text in zip(rows, decoded, strict=True):
                results[noise][row] = text
    return [Reconstruction(level, noise, compare(texts, out), tuple(out)) for noise, out in results.items()]


def batches(texts: Sequence[str], limit: int = BATCH_BYTES) -> Iterator[list[int]]:
    """Numbers of the texts in order of length, in batches of at most ``limit`` padded bytes (or one text)."""
    sizes = [len(text.encode()) for text in texts]
    batch: list[int] = []
    for row in sorted(range(len(texts)), key=sizes.__getitem__):
        if batch and sizes[row] * (len(batch) + 1) > limit:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
