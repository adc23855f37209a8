"""The training stages of the pipeline: a level on frozen lower ones, and all levels end to end."""

import hashlib
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zonkey.checkpoint import load_state, save_model
from zonkey.config import Config, ModelConfig, StageConfig, fingerprint
from zonkey.data import Batches, Corpus
from zonkey.model import Zonkey
from zonkey.runtime import start
from zonkey.train.distributed import Ranks
from zonkey.train.loop import Job, Trainer, TrainingError

log = logging.getLogger(__name__)

COMPUTING = ("data", "generate", "level", "train")  # sub-packages whose code decides what a run gives


@dataclass(frozen=True)
class TrainSummary:
    """How a run went: rows of losses and metrics by step, and the last validation."""

    history: list[dict[str, Any]]
    metrics: dict[str, float]


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


def _train(
    config: Config,
    stage: StageConfig,
    name: str,
    only: int | None,
    corpus: Path,
    source: Path | None,
    out: Path,
    runs: Path,
) -> TrainSummary:
    text = Corpus(corpus, "train")
    weights = None if source is None else file_fingerprint(source / "model.safetensors")
    shared = config.train.model_dump(mode="json", exclude={"levels", "finetune", "processes", "checkpoint_every"})
    key = fingerprint(
        name,
        code_fingerprint(),
        config.seed,
        _shape(config, only),
        config.losses,
        shared,
        stage,
        config.runtime.precision,
        text.fingerprint,
        weights,
    )
    folder = runs / f"{name.replace(' ', '')}-{key}"
    if config.train.processes > 1 and not torch.distributed.is_torchelastic_launched():
        _launch(config, only, corpus, source, out, runs)
        return _summary(folder)
    ranks = Ranks.join("cuda" if torch.cuda.is_available() and config.runtime.device != "cpu" else "cpu")
    try:
        runtime = start(config.runtime, ranks.local)
        job = Job(
            config,
            stage,
            name,
            only,
            Batches(text, stage.batch, stage.bytes, config.seed, ranks.rank, ranks.world),
            Batches(Corpus(corpus, "validation"), stage.batch, stage.bytes, config.seed),
            folder,
        )
        average = Trainer(job, _model(config, only, source), runtime, ranks).run()
        if ranks.rank == 0:
            save_model(average, config, out)
        ranks.wait()
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"{name}: out of memory with {stage.batch} documents of {stage.bytes} bytes in {stage.micro_batches}"
            " micro-batches; raise micro_batches, or lower batch or bytes"
        ) from None
    finally:
        ranks.leave()
    return _summary(folder)


def _shape(config: Config, only: int | None) -> ModelConfig:
    """Of the model that a run makes: levels above the one it trains play no part."""
    count = len(config.model.levels) if only is None else only + 1
    return config.model.model_copy(update={"levels": config.model.levels[:count]})


def _model(config: Config, only: int | None, source: Path | None) -> Zonkey:
    """A new model with levels 0..only, its lower levels (all, for fine-tuning) from ``source``."""
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
    return model


def _launch(config: Config, only: int | None, corpus: Path, source: Path | None, out: Path, runs: Path) -> None:
    """Run the same stage in several processes; their exit status is this one's."""
    runs.mkdir(parents=True, exist_ok=True)
    params = runs / f"launch-{fingerprint(config)}.json"
    params.write_text(config.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={config.train.processes}", "-m", "zonkey.train.worker", str(params)]
    command += [str(only), str(corpus), str(source), str(out), str(runs)]
    log.info("starting %d processes", config.train.processes)
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise TrainingError(f"training in {config.train.processes} processes failed with status {done.returncode}")


def _summary(folder: Path) -> TrainSummary:
    state = load_state(folder)
    if state is None:
        raise TrainingError(f"no training state in {folder}; the run did not finish")
    last = [row for row in state["history"] if row.get("kind") == "validation"][-1]
    metrics = {name.split("/", 1)[1]: value for name, value in last.items() if name.startswith("validation/")}
    return TrainSummary(state["history"], metrics)


def code_fingerprint() -> str:
    """SHA-256 of the modules a training run computes with: changed code never goes on with an old run."""
    package = Path(__file__).parent.parent
    parts = [*package.glob("*.py"), *(path for name in COMPUTING for path in (package / name).glob("*.py"))]
    return fingerprint([[path.name, file_fingerprint(path)] for path in sorted(parts)])


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
