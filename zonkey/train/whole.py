"""A whole model in one call: every level in order, all of them end to end, then their flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zonkey.config import Config, StageConfig
from zonkey.data import Corpus
from zonkey.fit import TrainSummary, bytes_read
from zonkey.train import stages

FLOW = "flow"


@dataclass(frozen=True)
class WholeRun:
    """What was trained, and how each stage went."""

    model: Path  # folder of the finished model
    stages: dict[str, TrainSummary]  # level0, level1, ..., finetune and flow where they took part

    @property
    def bytes_read(self) -> dict[str, int]:
        """Bytes of text that training read, see :func:`totals`."""
        return totals({name: summary.bytes_read for name, summary in self.stages.items()})


def plan(config: Config, finetune: bool = True) -> dict[str, StageConfig]:
    """The stages of a whole run by name, in order: level0, level1, ..., finetune, flow."""
    stages = {f"level{number}": stage for number, stage in enumerate(config.train.levels)}
    if finetune:
        stages["finetune"] = config.train.finetune
    if config.model.objective == "flow":
        stages[FLOW] = config.train.flow
    return stages


def reading(config: Config, corpus: Path, finetune: bool = True) -> dict[str, int]:
    """Bytes of text that each stage of :func:`plan` reads, without training."""
    text = Corpus(corpus, "train")
    return {name: bytes_read(text, stage, config.seed) for name, stage in plan(config, finetune).items()}


def totals(stages: Mapping[str, int]) -> dict[str, int]:
    """Bytes of text by stage, summed as they are told everywhere: ``levels`` (with their fine-tuning) and ``flows``.

    Flows are apart because nothing but generation uses them.
    """
    flows = stages.get(FLOW, 0)
    return {"levels": sum(stages.values()) - flows, "flows": flows}


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
        done[FLOW] = stages.train_flow(config, corpus, below, model, runs)
    return WholeRun(model, done)
