"""The baselines on a little text of another domain."""

from __future__ import annotations

from pathlib import Path

from zonkey.baselines.fit import train_language
from zonkey.config import Config
from zonkey.fit import TrainSummary
from zonkey.train.adapt import lesson
from zonkey.variants import varied


def adapt_language(config: Config, model: Path, corpus: Path, size: int, out: Path, runs: Path) -> TrainSummary:
    """Train a saved language model on, for as long and on the same text as :func:`zonkey.train.adapt` does.

    Its vocabulary stays as it is: that is what a fixed tokenizer cannot change. Arguments and errors as there.
    """
    part = lesson(config.adaptation, corpus, size, runs)
    shaped = varied(config, {"baselines.stage": part.stage, "train.processes": 1})
    return train_language(shaped, part.corpus, "train", out, runs, source=model)


def domain_judge(config: Config, judge: Path, corpus: Path, out: Path, runs: Path) -> TrainSummary:
    """Teach the judge another domain, from its own split of that corpus: all of it, ``adaptation.judge`` steps."""
    stage = {"baselines.stage.steps": config.adaptation.judge}
    return train_language(varied(config, stage), corpus, "judge", out, runs, source=judge)
