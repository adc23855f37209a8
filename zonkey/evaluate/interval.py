"""How far an F1 would move with other texts of the same kind."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap

DRAWS = 2000
SHARE = 0.95


def f1_interval(counts: np.ndarray, seed: int = 0) -> tuple[float, float] | None:
    """Where 95% of the F1s lie of as many texts drawn from these with replacement (percentile bootstrap).

    Texts are drawn whole, because what a model does in one sentence of a text it does in the next, too.

    Args:
        counts: cuts, boundaries and pairs of each text, (texts, 3), see :func:`zonkey.evaluate.segmentation.tally`.
        seed: the same seed gives the same bounds.

    Returns:
        Lower and upper bound; None of fewer than two texts.
    """
    if len(counts) < 2:
        return None
    found = bootstrap(
        tuple(counts.T),
        _f1,
        paired=True,
        n_resamples=DRAWS,
        confidence_level=SHARE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def _f1(cuts: np.ndarray, bounds: np.ndarray, pairs: np.ndarray, axis: int = -1) -> np.ndarray:
    return 2 * pairs.sum(axis) / np.maximum(cuts.sum(axis) + bounds.sum(axis), 1)
