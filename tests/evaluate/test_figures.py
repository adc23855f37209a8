"""Figures: the same numbers give the same bytes, and no date is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from zonkey import plots

TEXT = "Žluť $x$\nand 한 $"
ROWS = [
    {
        "step": step,
        "kind": kind,
        "loss": 5.0 / (step + 1),
        "level0/accuracy": 0.5,
        "level0/noisy_accuracy": 0.2,
    }
    for step in range(3)
    for kind in ("train", "validation")
]
EXISTENCE = np.array([[1.0, 0.5, 0.1], [1.0, 0.9, 0.0]])
PROFILE = {name: [1.0, 0.5] for name in ("true", "low", "high", "predicted")}
DRAW: dict[str, Callable[[], Figure]] = {
    "loss_curves": lambda: plots.loss_curves({"level0": ROWS, "finetune": ROWS}),
    "noise_curves": lambda: plots.noise_curves({"level0": {0.0: 0.9, 1.0: 0.1}}),
    "length_histograms": lambda: plots.length_histograms({"level0": {1: 3, 4: 1}, "level1": {9: 2}}),
    "existence_decay": lambda: plots.existence_decay({"level0": PROFILE}),
    "begin_probabilities": lambda: plots.begin_probabilities(
        TEXT, [0.5] * len(TEXT.encode()), [[0, 7], [0]], columns=6
    ),
    "denoising_steps": lambda: plots.denoising_steps([(1.0, "ab"), (0.0, "abc")]),
    "windows": lambda: plots.windows("abcd", [0, 2], EXISTENCE, EXISTENCE > 0.5),
    "begins_and_existence": lambda: plots.begins_and_existence("a bc", [0.9, 0.1, 0.9, 0.1], [0, 2], EXISTENCE),
    "existence_given": lambda: plots.existence_given(
        np.log(EXISTENCE[0]), np.eye(3), {"soft": EXISTENCE[0], "hard": EXISTENCE[1]}
    ),
    "paths_on_the_circle": lambda: plots.paths_on_the_circle({"even": np.array([[1.0, 0.0], [0.0, 1.0]])}),
    "bars": lambda: plots.bars({"words": {"reference": 0.9, "hard": 0.5}, "text": {"reference": 0.8}}, "Attention"),
    "against": lambda: plots.against(
        {"bytes right": {"Zonkey": {"16": 0.2, "4": 0.4}}, "bits": {"left": {"0": 3.0, "4": 2.0}}},
        "bytes",
        ["bytes right"],
    ),
    "seed_spread": lambda: plots.seed_spread({"words": {"0": 0.9, "1": 0.8}, "text": {"0": 1.0}}),
    "cosines": lambda: plots.cosines([0.0, 1.0], {"flow": [1.0, 0.0]}),
}


def test_every_figure_is_here() -> None:
    assert {*DRAW, "save"} == set(plots.__all__)


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.filterwarnings("error")
def test_the_same_numbers_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    first = plots.save(DRAW[name](), tmp_path / "first" / "figure")
    with matplotlib.rc_context({"font.size": 20, "svg.hashsalt": "other"}):  # the caller's style is no matter
        second = plots.save(DRAW[name](), tmp_path / "second" / "figure")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert [path.suffix for path in first] == [".png", ".svg"]
    assert b"date" not in first[1].read_bytes().lower() and b"Software" not in first[0].read_bytes()


def test_the_style_of_the_caller_stays() -> None:
    before = dict(matplotlib.rcParams)
    DRAW["cosines"]()
    assert dict(matplotlib.rcParams) == before
