"""What was measured side by side: runs, seeds, baselines, budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from zonkey.plots.style import CYCLE, INK, PALE, labels, panels, percent, styled

Points = Mapping[str, float]


@styled
def bars(groups: Mapping[str, Points], title: str) -> Figure:
    """Shares as bars, a group for each measure and in it a bar for each run; the first run is grey."""
    runs = list(dict.fromkeys(run for points in groups.values() for run in points))
    figure, ((axis,),) = panels(1, 1, max(2.0 * len(groups) + 1.5, 5.0), 3.4)
    width = 0.8 / max(len(runs), 1)
    for number, run in enumerate(runs):
        known = [(at, points[run]) for at, points in enumerate(groups.values()) if run in points]
        offset = (number - (len(runs) - 1) / 2) * width
        color = PALE if number == 0 else CYCLE[(number - 1) % len(CYCLE)]
        drawn = axis.bar([at + offset for at, _ in known], [share for _, share in known], width, color=color, label=run)
        axis.bar_label(drawn, [f"{100 * share:.0f}" for _, share in known], size=8, color=INK)
    axis.set_xticks(range(len(groups)), list(groups))
    labels(axis, title, "", "")
    percent(axis)
    axis.set_ylim(0, 1.12)
    axis.grid(axis="x", visible=False)
    figure.legend(loc="outside lower center", ncols=min(max(len(runs), 1), 3))
    return figure


@styled
def against(panel_lines: Mapping[str, Mapping[str, Points]], x: str, shares: Sequence[str] = ()) -> Figure:
    """A panel for each measure: lines against a number on a scale of equal ratios, by the name of the line.

    Args:
        panel_lines: measure, line, then values by number (written out: ``{"4": 0.5}``).
        x: what the number is.
        shares: measures that are shares, shown as percent.
    """
    figure, axes = panels(1, len(panel_lines), max(4.4 * len(panel_lines), 5.0), 3.5)
    for axis, (measure, lines) in zip(axes[0], panel_lines.items(), strict=True):
        for name, points in lines.items():
            known = sorted((float(number), value) for number, value in points.items())
            axis.plot([number for number, _ in known], [value for _, value in known], marker="o", label=name)
        numbers = sorted({float(number) for points in lines.values() for number in points})
        axis.set_xscale("symlog", base=2, linthresh=min((n for n in numbers if n > 0), default=1.0))
        axis.set_xticks(numbers, [f"{number:g}" for number in numbers])
        axis.minorticks_off()
        labels(axis, measure, x, "")
        if measure in shares:
            percent(axis)
        axis.legend()
    return figure


@styled
def seed_spread(values: Mapping[str, Points]) -> Figure:
    """Shares by seed as points, a row for each measure, over a bar from least to most, with a line at the mean."""
    figure, ((axis,),) = panels(1, 1, 6.4, 0.5 * len(values) + 1.3)
    for row, points in enumerate(values.values()):
        shares = list(points.values())
        axis.barh(row, max(shares) - min(shares), 0.5, left=min(shares), color=PALE, alpha=0.5)
        axis.plot([np.mean(shares)] * 2, [row - 0.3, row + 0.3], color=INK, lw=2)
        axis.plot(shares, [row] * len(shares), ls="", marker="o", color=CYCLE[0])
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.set_xlim(-0.02, 1.02)
    axis.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    labels(axis, "Seeds: every run, mean, least to most", "", "")
    axis.grid(axis="y", visible=False)
    return figure
