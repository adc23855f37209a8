"""One training run, whatever it trains: resumed where it stopped, in one process or several."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from zonkey.checkpoint import load_state, save_model
from zonkey.config import Config, StageConfig, fingerprint
from zonkey.data import Batches, Corpus
from zonkey.fit.distributed import Ranks
from zonkey.fit.learner import Learner
from zonkey.fit.loop import Job, Trainer, TrainingError
from zonkey.fit.worker import failure_of
from zonkey.runtime import start

log = logging.getLogger(__name__)

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class TrainSummary:
    """How a run went: rows of losses and metrics by step, the last validation, and how much text was read."""

    history: list[dict[str, Any]]
    metrics: dict[str, float]
    bytes_read: int  # by training, over all steps and processes, see :func:`bytes_read`


@dataclass(frozen=True)
class Run(Generic[M]):
    """From text to the folder of a model."""

    config: Config
    stage: StageConfig
    name: str
    identity: tuple[Any, ...]  # what tells this run from others, beside the fields here: inputs and code
    corpus: Path  # folder that ``zonkey.data.prepare`` made
    split: str  # that it trains on
    out: Path  # model folder to write
    runs: Path  # where the training state goes, in a folder named by parameters and inputs
    learner: Learner[M]
    build: Callable[[], M]  # the model as it is before the first step
    worker: tuple[str, ...]  # module that trains the same in one of several processes, and its arguments


def fit(run: Run[M]) -> TrainSummary:
    """Train, or go on, to the end, and save the averaged model.

    Raises:
        TrainingError: a loss is not finite, memory is short, or a process of several failed.
    """
    config, stage = run.config, run.stage
    text = Corpus(run.corpus, run.split)
    folder = run.runs / f"{run.name.replace(' ', '')}-{_key(run, text)}"
    if config.train.processes > 1 and not torch.distributed.is_torchelastic_launched():
        with tempfile.TemporaryDirectory(prefix="launch-") as temporary:
            _launch(run, Path(temporary))
        return _summary(folder, run, text)
    ranks = Ranks.join("cuda" if torch.cuda.is_available() and config.runtime.device != "cpu" else "cpu")
    try:
        runtime = start(config.runtime, ranks.local)
        job = Job(
            config,
            stage,
            run.name,
            run.learner,
            Batches(text, stage.batch, stage.bytes, config.seed, ranks.rank, ranks.world),
            Batches(Corpus(run.corpus, "validation"), stage.batch, stage.bytes, config.seed),
            folder,
        )
        average = Trainer(job, run.build(), runtime, ranks).run()
        if ranks.rank == 0:
            save_model(average, config, run.out)
        ranks.wait()
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"{run.name}: out of memory with {stage.batch} documents of {stage.bytes} bytes in {stage.micro_batches}"
            " micro-batches; raise micro_batches, lower batch or bytes, or set runtime.recompute to true"
        ) from None
    finally:
        ranks.leave()
    return _summary(folder, run, text)


def bytes_read(text: Corpus, stage: StageConfig, seed: int) -> int:
    """Of ``text`` by a whole run: every piece of a document as often as a step shows it, no padding, no validation.

    Counted from the batches' plan, which is a pure function of the seed: a run that was stopped, or that several
    processes shared, has read as much.
    """
    return Batches(text, stage.batch, stage.bytes, seed).read(stage.steps)


def _key(run: Run[Any], text: Corpus) -> str:
    config = run.config
    shared = config.train.model_dump(
        mode="json", exclude={"levels", "finetune", "flow", "processes", "checkpoint_every"}
    )
    parts = (run.name, config.seed, shared, run.stage, config.runtime.precision, text.fingerprint)
    return fingerprint(*parts, *run.identity)


def _launch(run: Run[Any], folder: Path) -> None:
    """Do the same in several processes; what one of them could say of its failure is raised here."""
    processes, (module, *arguments) = run.config.train.processes, run.worker
    params = folder / "params.json"
    params.write_text(run.config.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--log-dir", str(folder / "logs")]
    command += [f"--nproc-per-node={processes}", "-m", module, str(params), *arguments]
    log.info("starting %d processes", processes)
    done = subprocess.run(command, check=False)
    if done.returncode:
        if said := failure_of(params):
            raise TrainingError(said)
        raise TrainingError(
            f"{run.name}: training in {processes} processes failed with status {done.returncode}; what they said is"
            " above; started again, the run goes on from its last checkpoint"
        )


def _summary(folder: Path, run: Run[M], text: Corpus) -> TrainSummary:
    state = load_state(folder)
    if state is None:
        raise TrainingError(f"no training state in {folder}; the run did not finish")
    last = [row for row in state["history"] if row.get("kind") == "validation"][-1]
    metrics = {name.split("/", 1)[1]: value for name, value in last.items() if name.startswith("validation/")}
    return TrainSummary(state["history"], metrics, bytes_read(text, run.stage, run.config.seed))
