"""The whole of ``params.yaml``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from zonkey.config.base import Frozen, Name, Seed, Word
from zonkey.config.data import DataConfig
from zonkey.config.losses import LossConfig
from zonkey.config.measuring import (
    AblationsConfig,
    AdaptationConfig,
    BaselinesConfig,
    BudgetConfig,
    EvaluateConfig,
    SampleConfig,
    SuitesConfig,
)
from zonkey.config.model import ModelConfig
from zonkey.config.training import RuntimeConfig, StageConfig, TrainConfig


class PipelineConfig(Frozen):
    """What the stages of ``dvc.yaml`` build on; follows from the source and the levels (``zonkey profile``)."""

    prepare: str
    train: dict[str, str]  # of every level, by its number: the model below it
    finetune: str

    @classmethod
    def of(cls, source: str, path: str | None, levels: int) -> PipelineConfig:
        """The only valid value for these data and this many levels."""
        prepare = "zonkey/data/__init__.py"  # the built-in and the pinned source change with the code alone
        if source in ("parquet", "jsonl", "text") and path:
            fixed = itertools.takewhile(lambda part: not set(part) & set("*?["), Path(path).parts)
            prepare = str(Path(*fixed))
            if _holds_results(Path(prepare)):
                raise ValueError(
                    f"data.path {path!r} covers {prepare!r}, where the pipeline writes files of its own; put your files"
                    " into another folder, such as data/mine, and name that"
                )
        below = ["data/corpus/corpus.json", *(f"models/level{level}" for level in range(levels))]
        return cls(
            prepare=prepare,
            train={str(level): below[level] for level in range(levels)},
            finetune=below[levels],
        )


class Config(Frozen):
    """The whole of ``params.yaml``."""

    profile: Name
    seed: Seed
    data: DataConfig
    model: ModelConfig
    losses: LossConfig
    train: TrainConfig
    runtime: RuntimeConfig
    sample: SampleConfig
    evaluate: EvaluateConfig
    baselines: BaselinesConfig
    suites: SuitesConfig
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]  # that the suite of seeds trains with
    budgets: dict[Word, BudgetConfig]  # by what the suite calls them
    ablations: AblationsConfig
    adaptation: AdaptationConfig
    pipeline: PipelineConfig

    @model_validator(mode="after")
    def _check(self) -> Config:
        if len(self.train.levels) != len(self.model.levels):
            raise ValueError(
                f"model.levels has {len(self.model.levels)} entries and train.levels {len(self.train.levels)}; give one"
                " of the second for each of the first"
            )
        if self.data.max_bytes > self.model.max_text_bytes:
            raise ValueError(
                f"data.max_bytes is {self.data.max_bytes}, above model.max_text_bytes {self.model.max_text_bytes}:"
                " held-out texts would be too long for the model; lower the first or raise the second"
            )
        if len(set(self.seeds)) < len(self.seeds):
            twice = next(seed for seed in self.seeds if self.seeds.count(seed) > 1)
            raise ValueError(f"seeds {list(self.seeds)} hold {twice} more than once; give each once")
        for number, level in enumerate(self.model.levels):
            if level.splits_alone and not (self.losses.predict and self.losses.surprise):
                raise ValueError(
                    f"model.levels.{number}.splitter_alone is {level.splitter_alone:g}: begins follow foresight alone"
                    " at first, so losses.predict and losses.surprise must be above 0; or set splitter_alone to 0"
                )
            if level.foresees and level.splitter_moves and not self.losses.predict:
                raise ValueError(
                    f"model.levels.{number}.splitter_moves is {level.splitter_moves}: begins move to where a predictor"
                    " calls for them, so losses.predict must be above 0; or set splitter_moves to 0"
                )
        for name, stage in self._stages():
            try:
                stage.check_divides(self.train.processes)
            except ValueError as error:
                raise ValueError(f"{name}: {error}, or change train.processes") from None
        want = PipelineConfig.of(self.data.source, self.data.path, len(self.model.levels))
        for name in PipelineConfig.model_fields:
            if getattr(self.pipeline, name) != getattr(want, name):
                raise ValueError(
                    f"pipeline.{name} is {getattr(self.pipeline, name)!r}, but must be {getattr(want, name)!r} for"
                    " these data and levels; run `zonkey profile` (without a name) to bring it in line"
                )
        return self

    def _stages(self) -> Iterator[tuple[str, StageConfig]]:
        """What several processes train, by its name."""
        yield from ((f"train.levels.{number}", stage) for number, stage in enumerate(self.train.levels))
        yield from (("train.finetune", self.train.finetune), ("train.flow", self.train.flow))
        yield "baselines.stage", self.baselines.stage


def _holds_results(folder: Path) -> bool:
    """Whether the pipeline writes into it, or below it: text there would depend on what is made from it."""
    above = {"..", folder.anchor}  # the working directory itself has no parts
    return set(folder.parts) <= above or folder == Path("data") or folder.parts[:2] == ("data", "corpus")
