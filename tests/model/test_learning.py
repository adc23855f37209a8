"""Tiny models that must learn, with wide margins: rounding differs between processors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.build import bytes_batch, merge, model, random, raw
from zonkey import Zonkey, generate
from zonkey.config import Config, parse
from zonkey.fit.optimizer import Optimizer
from zonkey.phases import unforeseen
from zonkey.train import train_flow, train_level

pytestmark = pytest.mark.usefixtures("unchecked")

FEW = [
    "the river runs to the sea, and the sea gives rain. ",
    "a king of old had a castle by the lake of stone. ",
    "she wrote nine books, all of them about the moon. ",
    "iron and copper are mined in the northern hills. ",
]
STEPS = {1: 100, 2: 120, 3: 60}  # of training, by the number of levels; two need more on some processors than on others
GUESS = math.log(16)  # loss above level 0 of who knows nothing: the truth and 15 others
ENDS = 8  # steps at both ends that are averaged


@dataclass(frozen=True)
class Progress:
    """Means over the first and the last steps: of the loss, and by level of accuracy and clean loss."""

    loss: tuple[float, float]
    accuracy: list[tuple[float, float]]
    clean: list[tuple[float, float]]


def learn(levels: int, objective: str, dtype: torch.dtype = torch.float32, **level: Any) -> tuple[Zonkey, Progress]:
    """Train all levels at once, end to end, on a handful of sentences."""
    values = raw(levels, objective, **level)
    rates = {"learning_rate": 0.01, "matrix_learning_rate": 0.03}
    merge(values["train"], {"optimizer": "muon", "finetune": {"steps": STEPS[levels]} | rates})
    config = parse(Config, values, "test")
    built = model(levels, objective, **level)
    optimizer = Optimizer(built, config.train, config.train.finetune)
    tokens, lengths = bytes_batch(FEW)
    rows = []
    for step in range(STEPS[levels]):
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            out = built(tokens, lengths, unforeseen(config.losses), random(step))
        out.loss.backward()
        optimizer.step(step)
        terms = [(part.metrics.accuracy, part.losses.clean) for part in out.levels]
        rows.append(torch.stack([out.loss, *(value for pair in terms for value in pair)]).detach())
    assert torch.stack(rows).isfinite().all()
    first, last = (torch.stack(part).mean(dim=0).tolist() for part in (rows[:ENDS], rows[-ENDS:]))
    pairs = list(zip(first, last, strict=True))
    return built, Progress(pairs[0], pairs[1::2], pairs[2::2])


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_all_levels_learn_together(levels: int, objective: str) -> None:
    _, progress = learn(levels, objective)
    first, last = progress.loss
    assert last < (0.5 if levels == 1 else 0.75) * first, progress
    before, after = progress.accuracy[0]
    assert after > before + (0.35 if levels == 1 else 0.1), progress
    for index, (high, low) in enumerate(progress.clean):  # untrained vectors may be alike, which is easy above level 0
        assert low < (0.75 * high if index == 0 else max(0.75 * high, GUESS / 2)), (index, progress)


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
def test_the_sequential_decompressor_learns(objective: str) -> None:
    _, progress = learn(1, objective, decompressor="sequential")
    assert progress.loss[1] < 0.5 * progress.loss[0] and progress.accuracy[0][1] > 0.35, progress


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
def test_lower_precision_learns(objective: str) -> None:
    _, progress = learn(1, objective, torch.bfloat16)
    assert progress.loss[1] < 0.5 * progress.loss[0] and progress.accuracy[0][1] > 0.35, progress


def test_a_run_over_a_corpus_learns_what_it_is_not_shown(tmp_path: Path, corpus: Path) -> None:
    """The averaged weights do better on held-out articles, and flows trained on them write letters that there are."""
    values = raw(1)
    stage = {"steps": 80, "batch": 4, "bytes": 96, "learning_rate": 0.01, "matrix_learning_rate": 0.03}
    merge(values["train"], {"validate_every": 40, "checkpoint_every": 40})
    values["train"]["levels"] = [values["train"]["levels"][0] | stage]
    values["train"]["flow"] |= stage
    values["model"]["flow"]["rows"] = 16
    config = parse(Config, values, "test")
    summary = train_level(config, 0, corpus, None, tmp_path / "level0", tmp_path / "runs")
    seen = [row for row in summary.history if row.get("kind") == "validation"]
    losses = [row["validation/loss"] for row in seen]
    accuracies = [row["validation/level0/accuracy"] for row in seen]
    assert losses[-1] < 0.6 * losses[0] and losses[-1] == summary.metrics["loss"], losses
    assert accuracies[-1] > accuracies[0] + 0.2, accuracies
    flows = train_flow(config, corpus, tmp_path / "level0", tmp_path / "final", tmp_path / "runs")
    nats = [row["validation/loss"] for row in flows.history if row.get("kind") == "validation"]
    assert nats[-1] < 0.75 * nats[0], nats
    text = "".join(generate(Zonkey.from_pretrained(tmp_path / "final"), 20, seed=1))
    known = set((corpus / "train.bin").read_bytes().decode())
    assert sum(letter in known for letter in text) > 0.9 * len(text) > 20, text
