"""Pictures that explain: existence, soft attention, noise on the sphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zonkey.plots.style import BLUE, CYCLE, GREEN, INK, ORANGE, PALE, RED, labels, panels, styled


@styled
def begins_and_existence(text: str, begins: Sequence[float], starts: Sequence[int], existence: np.ndarray) -> Figure:
    """Begin probabilities over a text, and below them how the existence of every window decays.

    Args:
        text: one letter for each position.
        begins: b of every position, (N,).
        starts: where windows begin, (S,).
        existence: p along every window, (S, L).
    """
    figure, axes = panels(2, 1, max(len(text) * 0.26, 5), 4.4, sharex=True, height_ratios=(1, 1.5))
    upper, lower = axes[:, 0]
    at = np.arange(len(text))
    upper.bar(at, begins, color=ORANGE, width=0.8)
    labels(upper, "A segment may begin here", "", "b")
    for row, start in enumerate(starts):
        p = existence[row, : len(text) - start]
        lower.plot(start + np.arange(len(p)), p, marker="o", ms=4, color=CYCLE[row % len(CYCLE)])
        lower.plot([start], [1.0], marker="o", ms=8, color=CYCLE[row % len(CYCLE)])
    labels(lower, "What begins there fades out where the next may begin", "", "existence p")
    lower.set_xticks(at, ["␣" if letter == " " else letter for letter in text], family="DejaVu Sans Mono", size=10)
    for axis in (upper, lower):
        axis.set_ylim(-0.03, 1.08)
        axis.grid(axis="x", visible=False)
    return figure


@styled
def existence_given(log_p: np.ndarray, given: np.ndarray, weights: Mapping[str, np.ndarray]) -> Figure:
    """Soft attention: existence p, P(k exists | q exists), and the attention of the first query.

    Args:
        log_p: log existence, (L,).
        given: P(k | q), (L, L), queries down.
        weights: attention weights of query 0 to every key, (L,), by name.
    """
    figure, axes = panels(1, 3, 11.5, 3.5, width_ratios=(1, 1.15, 1.3))
    k = np.arange(len(log_p))
    axes[0, 0].bar(k, np.exp(log_p), color=GREEN, width=0.8)
    labels(axes[0, 0], "Existence", "position k", "p")
    picture = axes[0, 1].imshow(given, cmap="cividis", vmin=0, vmax=1)
    axes[0, 1].grid(visible=False)
    labels(axes[0, 1], "P(k exists | q exists)", "key k", "query q")
    figure.colorbar(picture, ax=axes[0, 1], shrink=0.85)
    width = 0.8 / len(weights)
    for number, (name, row) in enumerate(weights.items()):
        axes[0, 2].bar(k + (number - (len(weights) - 1) / 2) * width, row, width, color=CYCLE[number], label=name)
    labels(axes[0, 2], "Attention of query 0", "key k", "weight")
    axes[0, 2].set_ylim(0, 1.45 * max(float(row.max()) for row in weights.values()))
    axes[0, 2].legend()
    for axis in axes[0]:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@styled
def paths_on_the_circle(paths: Mapping[str, np.ndarray]) -> Figure:
    """Ways from data to noise in two dimensions, points at equal steps of t, each (T, 2), side by side."""
    figure, axes = panels(1, len(paths), 3.6 * len(paths), 3.6)
    around = np.linspace(0, 2 * np.pi, 200)
    for axis, (name, points) in zip(axes[0], paths.items(), strict=True):
        size = float(np.linalg.norm(points[0]))
        axis.plot(size * np.cos(around), size * np.sin(around), color=PALE, lw=1)
        axis.plot(points[:, 0], points[:, 1], color=BLUE, lw=1.5, marker="o", ms=4)
        for point, word, color in ((points[0], "data, t = 0", GREEN), (points[-1], "noise, t = 1", RED)):
            axis.plot(*point, marker="o", ms=10, color=color)
            axis.annotate(word, point, xytext=0.55 * point, ha="center", va="center", color=color)
        axis.set_title(name)
        axis.set_aspect("equal")
        axis.axis("off")
    return figure


@styled
def cosines(t: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """How much of the data is left at a noise level: the cosine between a noised vector and its origin."""
    figure, ((axis,),) = panels(1, 1, 5.4, 3.3)
    for name, values in curves.items():
        axis.plot(t, values, label=name)
    axis.axhline(0, color=INK, lw=0.8)
    labels(axis, "What is left of the data", "noise level t", "cosine to the clean vector")
    axis.legend()
    return figure
