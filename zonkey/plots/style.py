"""One look for all figures, and files without dates or chance in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import matplotlib.rcsetup
import matplotlib.ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito's colours, which all kinds of sight tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
CYCLE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
INK, PALE = "#222222", "#9a9a9a"

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.rcsetup.cycler(color=CYCLE),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "zonkey",
    "svg.fonttype": "path",
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the project's style whatever the caller's is, and leave the caller's as it was."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # ticks are made when first drawn, in the style of that moment
            return figure

    return inner


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure of ``width`` x ``height`` inches, and its axes as an array of (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write ``path`` as PNG and as SVG (its suffix is replaced), making its folder; returns both paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_suffix(".png"), path.with_suffix(".svg")]
    with matplotlib.rc_context(STYLE):
        figure.savefig(written[0], dpi=150, metadata={"Software": None})
        figure.savefig(written[1], metadata={"Date": None, "Creator": None})
    return written


def percent(axis: Axes, low: float = 0.0) -> None:
    """Shares on the y axis, as percent."""
    axis.set_ylim(low, 1.02)
    axis.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))


def labels(axis: Axes, title: str, x: str, y: str) -> None:
    """Title and axis labels."""
    axis.set_title(title)
    axis.set_xlabel(x)
    axis.set_ylabel(y)


def spaced(name: str) -> str:
    """``level0`` as people write it: ``level 0``."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", name)
