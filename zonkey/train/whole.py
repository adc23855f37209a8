"""A whole model in one call: every level in order, all of them end to end, then their flows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zonkey.config import Config, StageConfig
from zonkey.fit import TrainSummary
from zonkey.train import stages


@dataclass(frozen=True)
class WholeRun:
    """What was trained, and how each stage went."""

    model: Path  # folder of the finished model
    stages: dict[str, TrainSummary]  # level0, level1, ..., finetune and flow where they took part
    bytes: int  # of text that training saw, over all stages


def plan(config: Config, finetune: bool = True) -> dict[str, StageConfig]:
    """The stages of a whole run by name, in order: level0, level1, ..., finetune, flow."""
    stages = {f"level{number}": stage for number, stage in enumerate(config.train.levels)}
    if finetune:
        stages["finetune"] = config.train.finetune
    if config.model.objective == "flow":
        stages["flow"] = config.train.flow
    return stages


def train_all(config: Config, corpus: Path, out: Path, runs: Path, finetune: bool = True) -> WholeRun:
    """Train all levels in order, each on the frozen ones below, then (``finetune``) all end to end, then
    their flows.

    Args:
        config: all parameters.
        corpus: folder that ``zonkey.data.prepare`` made.
        out: gets a model folder for each stage: level0, level1, ..., joint, final.
        runs: where training states go; a stage that was stopped goes on, one that is finished is not run again.
        finetune: whether to train end to end at the end.

    Raises:
        TrainingError: as :func:`zonkey.train.train_level`.
    """
    done: dict[str, TrainSummary] = {}
    model: Path | None = None
    for level in range(len(config.model.levels)):
        below, model = model, out / f"level{level}"
        done[model.name] = stages.train_level(config, level, corpus, below, model, runs)
    assert model is not None  # there is at least one level
    if finetune:
        below, model = model, out / "joint"
        done["finetune"] = stages.finetune(config, corpus, below, model, runs)
    if config.model.objective == "flow":
        below, model = model, out / "final"
        done["flow"] = stages.train_flow(config, corpus, below, model, runs)
    seen = sum(stage.steps * stage.batch * stage.bytes for stage in plan(config, finetune).values())
    return WholeRun(model, done, seen)
