"""What happens inside: existence along windows, and a text on its way out of the noise.

Shapes: S segments, L window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from zonkey.evaluate.round_trip import batches
from zonkey.generate import sample
from zonkey.model import Zonkey
from zonkey.runtime import generator


@dataclass(frozen=True)
class ExistenceProfile:
    """Existence by position in the window, over all real positions of all segments; each (L,).

    Shorter than L where no text reaches as far.
    """

    true: tuple[float, ...]  # the splitter's, mean
    low: tuple[float, ...]  # its 10% quantile
    high: tuple[float, ...]  # its 90% quantile
    predicted: tuple[float, ...]  # the denoiser's at noise 0, mean


@torch.no_grad()
def existence_profile(model: Zonkey, texts: Sequence[str], level: int) -> ExistenceProfile:
    """Hold the splitter's existence against what the denoiser reads out of the compressed vectors.

    Raises:
        ValueError: there is no text or no such level, or a text is too short or too long for the model.
    """
    part = model.levels[model.check_level(level)]
    true: list[np.ndarray] = []
    predicted: list[np.ndarray] = []
    for rows in batches(texts):
        chosen = [texts[row] for row in rows]
        x, lengths, marks = model.inputs(chosen, model.check_level(level))
        _, segments = part.split(x, lengths, marks=marks)
        denoised = part.denoise(part.compress(x, segments), 0.0)
        for found, log_p in ((true, segments.log_p), (predicted, denoised.log_p)):
            p = log_p.float().exp().cpu().numpy()
            found.append(np.where(segments.mask.cpu().numpy(), p, np.nan))
    if not true:
        raise ValueError("give a list of at least one text")
    splitter, denoiser = np.concatenate(true), np.concatenate(predicted)
    reached = ~np.isnan(splitter).all(axis=0)
    splitter, denoiser = splitter[:, reached], denoiser[:, reached]
    low, high = (np.nanquantile(splitter, q, axis=0) for q in (0.1, 0.9))
    lines = (np.nanmean(splitter, axis=0), low, high, np.nanmean(denoiser, axis=0))
    return ExistenceProfile(*(tuple(line.tolist()) for line in lines))


@torch.no_grad()
def denoising(
    model: Zonkey, level: int, steps: int | None = None, seed: int = 0, shown: int = 12
) -> list[tuple[float, str]]:
    """One text of ``level`` on its way out of the noise: noise level and text so far, at about ``shown`` steps.

    Raises:
        ValueError: there is no such level.
    """
    seen: list[tuple[float, str]] = []
    level, random = model.check_level(level), generator(seed, device=model.device)
    take = steps or model.config.steps
    done = sample(model, 1, level, take, "expected", random, lambda t, texts: seen.append((t, texts[0])))
    return [*seen[:: max(len(seen) // shown, 1)], (0.0, done[0])]
