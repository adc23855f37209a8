"""The training stages of the pipeline: a level on frozen lower ones, all levels end to end, and their flows."""

from functools import partial
from pathlib import Path

import torch

from zonkey.checkpoint import save_model
from zonkey.config import Config, ModelConfig, StageConfig
from zonkey.data import Corpus
from zonkey.files import file_fingerprint
from zonkey.fit import Run, TrainSummary, code_fingerprint, fit
from zonkey.model import Zonkey
from zonkey.train.learner import Part, ZonkeyLearner
from zonkey.train.vocabulary import remember
from zonkey.transformer import recompute


def train_level(config: Config, level: int, corpus: Path, below: Path | None, out: Path, runs: Path) -> TrainSummary:
    """Train one level on the frozen levels below and save the model with levels 0..level.

    Args:
        config: all parameters.
        level: which level; its length of training is ``config.train.levels[level]``.
        corpus: folder that ``zonkey.data.prepare`` made.
        below: model folder of the level below; None for level 0.
        out: model folder to write.
        runs: where the training state goes, in a folder named by parameters and inputs.

    Raises:
        ValueError: the level is not in the configuration, or its lower model is missing or of another shape.
        TrainingError: a loss is not finite, memory is short, or a process of several failed.
    """
    if not 0 <= level < len(config.model.levels):
        raise ValueError(f"level is {level}; params.yaml has levels 0 to {len(config.model.levels) - 1}")
    if (level == 0) != (below is None):
        raise ValueError(f"level {level} needs {'no model below' if below else 'the model of the level below'}")
    return _train(config, config.train.levels[level], f"level {level}", level, corpus, below, out, runs)


def finetune(config: Config, corpus: Path, model: Path, out: Path, runs: Path) -> TrainSummary:
    """Train all levels of ``model`` jointly, end to end; arguments and errors as :func:`train_level`."""
    return _train(config, config.train.finetune, "finetune", None, corpus, model, out, runs)


def train_flow(config: Config, corpus: Path, model: Path, out: Path, runs: Path) -> TrainSummary:
    """Train the flows of all levels on the windows of a finished model; arguments and errors as :func:`finetune`.

    Nothing else changes. A model of the ``ddmm`` objective samples with its denoisers alone: it is handed on as it is.
    """
    if config.model.objective != "flow":
        save_model(Zonkey.from_pretrained(model), config, out)
        return TrainSummary([], {}, 0)
    return _train(config, config.train.flow, "flow", "flow", corpus, model, out, runs)


def _train(
    config: Config,
    stage: StageConfig,
    name: str,
    only: Part,
    corpus: Path,
    source: Path | None,
    out: Path,
    runs: Path,
) -> TrainSummary:
    weights = None if source is None else file_fingerprint(source / "model.safetensors")
    shape = _shape(config, only).model_dump(mode="json", exclude={"sampler"})  # which training does not read
    run = Run(
        config,
        stage,
        name,
        (code_fingerprint(__name__), shape, config.losses, weights),
        corpus,
        "train",
        out,
        runs,
        ZonkeyLearner(config, stage, only),
        partial(_model, config, only, source, corpus),
        ("zonkey.train.worker", str(only), str(corpus), str(source), str(out), str(runs)),
    )
    return fit(run)


def _shape(config: Config, only: Part) -> ModelConfig:
    """Of the model that a run makes: levels above the one it trains play no part."""
    count = only + 1 if isinstance(only, int) else len(config.model.levels)
    return config.model.model_copy(update={"levels": config.model.levels[:count]})


def _model(config: Config, only: Part, source: Path | None, corpus: Path) -> Zonkey:
    """A new model with levels 0..only, its lower levels (all, where all are trained) from ``source``.

    Flows that are to be trained get their vocabularies from the corpus.
    """
    shape = _shape(config, only)
    count = len(shape.levels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed * 1000 + count)
        model = Zonkey(shape)
    if source is not None:
        lower = Zonkey.from_pretrained(source)
        want = shape.levels[: len(lower.levels)]
        if lower.config.levels != want or lower.config.objective != shape.objective:
            raise ValueError(f"{source} holds a model of another shape than params.yaml asks; train it again")
        model.load_state_dict(lower.state_dict(), strict=False)
    if config.runtime.recompute:
        recompute(model)
    if only == "flow":
        remember(model, Corpus(corpus, "train"), config.seed)
    return model
