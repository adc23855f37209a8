"""Text in cells of a grid: what a model does, letter by letter."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

import matplotlib
import matplotlib.cm
import matplotlib.colors
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle

from zonkey.plots.style import BLUE, CYCLE, GREEN, INK, PALE, RED, SKY, panels, spaced, styled

MONO = "DejaVu Sans Mono"
CELL = 0.118  # inches a letter is wide
HEAT = matplotlib.colors.LinearSegmentedColormap.from_list("begins", ["#ffffff", "#fdd9a8", RED])


@styled
def begin_probabilities(
    text: str, probabilities: Sequence[float], starts: Sequence[Sequence[int]], columns: int = 72
) -> Figure:
    """A text coloured by begin probability, with the segments of all levels drawn.

    Args:
        text: what was segmented.
        probabilities: of every byte of the text.
        starts: of each level, the byte offsets where segments begin.
        columns: letters in a line.
    """
    offsets = _offsets(text)
    heat = [max(probabilities[a:b]) for a, b in pairwise(offsets)]
    begins = [{offsets.index(at) for at in level if at in offsets} | {len(text)} for level in starts]
    lines = -(-len(text) // columns)
    pitch = 1.35 + 0.3 * len(starts)
    figure, ((axis,),) = panels(1, 1, max(columns * CELL + 1.0, 4.0), lines * pitch * 0.17 + 0.9)
    _blank(axis, columns, lines * pitch)
    for at, (letter, b) in enumerate(zip(text, heat, strict=True)):
        x, y = at % columns, at // columns * pitch
        axis.add_patch(Rectangle((x, y), 1, 1, color=HEAT(b), lw=0))
        _letter(axis, x, y, letter)
        if at in begins[0]:
            axis.plot([x, x], [y, y + 1], color=INK, lw=1.3, solid_capstyle="butt")
    for number, level in enumerate(begins[1:], start=1):
        for index, (a, b) in enumerate(pairwise(sorted(level))):
            _underline(axis, a, b, columns, pitch, 1.0 + 0.3 * number, (BLUE, GREEN)[index % 2])
    _key(figure, axis)
    bars = "; bars: segments of level 1" if len(starts) > 1 else ""
    axis.set_title(f"Where segments begin (lines: level 0{bars})")
    return figure


@styled
def denoising_steps(steps: Sequence[tuple[float, str]], title: str = "From noise to text") -> Figure:
    """The text at every noise level, top down; letters that are already what they end as are black."""
    last = steps[-1][1]
    columns = max(24, *(len(text) + 1 for _, text in steps))
    figure, ((axis,),) = panels(1, 1, max(columns * CELL + 1.2, 4.0), len(steps) * 0.19 + 0.7)
    _blank(axis, columns, len(steps) * 1.15)
    for row, (t, text) in enumerate(steps):
        y = row * 1.15
        axis.text(-0.8, y + 0.5, f"t = {t:.2f}", ha="right", va="center", size=8, color=INK)
        for at, letter in enumerate(text):
            settled = at < len(last) and last[at] == letter
            if settled:
                axis.add_patch(Rectangle((at, y), 1, 1, color=SKY, alpha=0.35, lw=0))
            _letter(axis, at, y, letter, INK if settled else PALE)
    axis.set_title(spaced(title))
    return figure


@styled
def windows(
    text: str,
    starts: Sequence[int],
    existence: np.ndarray,
    own: np.ndarray,
    title: str = "Windows over one text",
) -> Figure:
    """A row for each window, under the text: letters fade with existence; what a window writes has a colour.

    Args:
        text: letters of one byte each.
        starts: where each window begins, (S,).
        existence: of every position of every window, (S, L).
        own: whether the window itself writes the position, (S, L).
    """
    figure, ((axis,),) = panels(1, 1, len(text) * 1.5 * CELL + 0.6, (len(starts) + 2) * 0.24 + 0.5)
    _blank(axis, len(text), (len(starts) + 1.4) * 1.1)
    for at, letter in enumerate(text):
        _letter(axis, at, 0, letter)
    for row, start in enumerate(starts):
        y, color = (row + 1.4) * 1.1, CYCLE[row % len(CYCLE)]
        for k in range(min(existence.shape[1], len(text) - start)):
            if own[row, k]:
                axis.add_patch(Rectangle((start + k, y), 1, 1, color=color, alpha=0.28, lw=0))
            fade = 0.08 + 0.92 * float(existence[row, k])
            _letter(axis, start + k, y, text[start + k], INK, fade)
    axis.set_title(title)
    return figure


def _blank(axis: Axes, columns: float, rows: float) -> None:
    axis.set_xlim(-0.2, columns + 0.2)
    axis.set_ylim(rows + 0.1, -0.2)
    axis.axis("off")


def _key(figure: Figure, axis: Axes) -> None:
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.5)
    bar = figure.colorbar(
        matplotlib.cm.ScalarMappable(cmap=HEAT),
        ax=axis,
        location="bottom",
        anchor=(0.0, 0.0),
        shrink=min(2.5 / width, 0.9),
        aspect=20,
        pad=0.02,
    )
    bar.set_label("begin probability")


def _letter(axis: Axes, x: float, y: float, letter: str, color: str = INK, alpha: float = 1.0) -> None:
    if shown := visible(letter):
        axis.text(
            x + 0.5, y + 0.54, shown, family=MONO, size=9, ha="center", va="center", color=color, alpha=alpha,
            parse_math=False,
        )  # fmt: skip


def _underline(axis: Axes, a: int, b: int, columns: int, pitch: float, below: float, color: str) -> None:
    while a < b:
        line = a // columns
        end = min(b, (line + 1) * columns)
        y = line * pitch + below
        x = a - line * columns
        axis.plot([x + 0.15, end - line * columns - 0.15], [y, y], color=color, lw=2.2, solid_capstyle="butt")
        a = end


def visible(letter: str) -> str:
    """A sign for what has no picture: line ends, other controls, letters that the font lacks."""
    if letter == "\n":
        return "⏎"
    if letter.isspace():
        return ""
    return letter if letter.isprintable() and ord(letter) in _letters() else "□"


@functools.cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=MONO))).get_charmap())


def _offsets(text: str) -> list[int]:
    sizes = [len(letter.encode()) for letter in text]
    return [0, *np.cumsum(sizes).tolist()]
