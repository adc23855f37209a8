"""A trained model on a little text of another domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zonkey.config import AdaptationConfig, Config, fingerprint
from zonkey.data import Corpus, take
from zonkey.fit import TrainSummary
from zonkey.train import stages
from zonkey.variants import varied


@dataclass(frozen=True)
class Lesson:
    """A little text and the stage that goes with it; the same for every model that is compared."""

    corpus: Path  # with no more training text than wanted
    stage: dict[str, Any]  # values of a StageConfig


def lesson(plan: AdaptationConfig, corpus: Path, size: int, runs: Path) -> Lesson:
    """Cut ``size`` bytes of training text out of ``corpus``, to be seen ``plan.passes`` times.

    Raises:
        DataError: there is not as much text.
    """
    folder = runs / f"part-{fingerprint(Corpus(corpus, 'train').fingerprint, size)}"
    take(corpus, size, folder)
    wanted = round(plan.passes * size / (plan.stage.batch * plan.stage.bytes))
    return Lesson(folder, plan.stage.model_dump(mode="json") | {"steps": min(max(wanted, 1), plan.stage.steps)})


def adapt(config: Config, model: Path, corpus: Path, size: int, out: Path, runs: Path) -> TrainSummary:
    """Fine-tune all levels of a saved model, end to end, on ``size`` bytes of another corpus.

    Args:
        config: all parameters; ``adaptation`` says how.
        model: folder of the model to go on from.
        corpus: folder of the other domain's corpus, which also validates.
        size: bytes of its training text.
        out: model folder to write.
        runs: where the part of the corpus and the training state go.

    Raises:
        ValueError: the model is of another shape than ``config`` asks.
        DataError: there is not as much text.
        TrainingError: as :func:`zonkey.train.finetune`.
    """
    part = lesson(config.adaptation, corpus, size, runs)
    return stages.finetune(
        varied(config, {"train.finetune": part.stage, "train.processes": 1}), part.corpus, model, out, runs
    )
