"""Curves and histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from zonkey.plots.style import CYCLE, GREEN, INK, PALE, RED, labels, panels, percent, spaced, styled

Row = Mapping[str, Any]


@styled
def loss_curves(histories: Mapping[str, Sequence[Row]]) -> Figure:
    """A column for each training run: loss above, validation accuracies below.

    Args:
        histories: rows of each run: ``step``, ``kind`` (train or validation), ``loss``, ``levelN/accuracy``
            and ``levelN/noisy_accuracy``.
    """
    figure, axes = panels(2, len(histories), max(3.4 * len(histories), 5.0), 5.2, sharex="col")
    for column, (name, rows) in enumerate(histories.items()):
        _losses(axes[0, column], rows, name)
        _accuracies(axes[1, column], [row for row in rows if row["kind"] == "validation"])
        axes[1, column].set_xlabel("step")
    axes[0, 0].set_ylabel("loss (nats)")
    axes[1, 0].set_ylabel("validation accuracy")
    return figure


def _losses(axis: Axes, rows: Sequence[Row], name: str) -> None:
    for kind, look in (
        ("train", {"color": PALE, "lw": 1.0}),
        ("validation", {"color": CYCLE[0], "marker": "o"}),
    ):
        chosen = [row for row in rows if row["kind"] == kind]
        axis.plot([row["step"] for row in chosen], [row["loss"] for row in chosen], label=kind, **look)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    axis.set_title(spaced(name))
    axis.legend()


def _accuracies(axis: Axes, rows: Sequence[Row]) -> None:
    names = [name for name in rows[0] if name.endswith("accuracy")] if rows else []
    for name in names:
        level, kind = name.removeprefix("level").split("/")
        noisy = kind.startswith("noisy")
        axis.plot(
            [row["step"] for row in rows],
            [row[name] for row in rows],
            color=CYCLE[int(level) % len(CYCLE)],
            ls="--" if noisy else "-",
            marker="" if noisy else "o",
            label=f"level {level}" + (", noised" if noisy else ""),
        )
    percent(axis)
    axis.legend()


@styled
def noise_curves(curves: Mapping[str, Mapping[float, float]]) -> Figure:
    """Share of bytes right against the noise level of the compressed vectors, a line for each level."""
    figure, ((axis,),) = panels(1, 1, 6.2, 3.8)
    for name, points in curves.items():
        axis.plot(list(points), list(points.values()), marker="o", label=spaced(name))
    labels(axis, "Reconstruction from noised vectors", "noise level t (0 clean, 1 pure noise)", "bytes right")
    percent(axis)
    axis.legend(loc="lower left")
    return figure


@styled
def length_histograms(histograms: Mapping[str, Mapping[int, int]]) -> Figure:
    """How long segments are, one panel for each level, with the mean."""
    figure, axes = panels(1, len(histograms), 4.4 * len(histograms), 3.2)
    for axis, color, (name, counts) in zip(axes[0], CYCLE, histograms.items(), strict=False):
        lengths, share = np.array(list(counts)), np.array(list(counts.values()), dtype=float)
        share /= share.sum()
        axis.bar(lengths, share, width=0.85, color=color)
        mean = float((lengths * share).sum())
        axis.axvline(mean, color=INK, ls="--", lw=1.2, label=f"mean {mean:.1f} bytes")
        labels(axis, spaced(name), "length of a segment (bytes)", "share of segments")
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(axis="x", visible=False)
        axis.legend()
    return figure


@styled
def existence_decay(profiles: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Mean existence along a window, a panel for each level: the splitter's, and the denoiser's prediction.

    Args:
        profiles: of each level ``true``, ``low``, ``high`` (the splitter's) and ``predicted``, by position.
    """
    figure, axes = panels(1, len(profiles), 4.4 * len(profiles), 3.3, sharey=True)
    for axis, (name, profile) in zip(axes[0], profiles.items(), strict=True):
        k = np.arange(len(profile["true"]))
        axis.fill_between(k, profile["low"], profile["high"], color=GREEN, alpha=0.18, lw=0, label="10 to 90%")
        axis.plot(k, profile["true"], color=GREEN, marker="o", label="splitter, mean")
        axis.plot(k, profile["predicted"], color=RED, ls="--", marker="s", ms=4, label="denoiser, mean")
        labels(axis, spaced(name), "position k in the window", "existence p")
        axis.set_ylim(-0.02, 1.03)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend()
    return figure
