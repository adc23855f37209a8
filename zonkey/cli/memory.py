"""How much memory a training step of each stage of the pipeline takes, before any runs: ``zonkey info --memory``.

A step takes some memory whatever its size, and the same for every document (docs/performance.md). So two small steps,
each in a process of its own, tell a large one. Validation, and what several processes exchange, are not in it.
"""

from __future__ import annotations

import copy
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FEW = (2, 4)  # documents of the steps that are tried
MIB = 2**20


@dataclass(frozen=True)
class Need:
    """Of one stage, in each of its processes."""

    stage: str
    processes: int
    micro_batches: int
    documents: int  # of a micro-batch
    fixed: int  # bytes, whatever the documents
    each: int  # bytes more for every document

    @property
    def bytes(self) -> int:
        """Of one process, at most."""
        return self.fixed + self.each * self.documents

    def fitting(self, free: int) -> int | None:
        """The fewest micro-batches with which one process fits into ``free`` bytes; None where none does."""
        most = self.documents * self.micro_batches
        fits = (n for n in range(1, most + 1) if most % n == 0 and self.fixed + self.each * (most // n) <= free)
        return next(fits, None)


def needs(params: Path) -> list[Need]:
    """What every stage of training in a parameter file needs.

    Raises:
        ConfigError: the file holds no valid parameters.
        ValueError: a step of a few documents could not be tried.
    """
    from zonkey.config import load_config
    from zonkey.train import plan

    config = load_config(params)
    found = []
    for name, stage in plan(config).items():
        small, large = (_tried(params, name, documents) for documents in FEW)
        each = max(large - small, 0) // (FEW[1] - FEW[0])
        processes = config.train.processes
        documents = stage.batch // stage.micro_batches // processes
        found.append(Need(name, processes, stage.micro_batches, documents, small - FEW[0] * each, each))
    return found


def room(params: Path) -> tuple[str, int]:
    """Where one process trains, and how many bytes are free for it: a GPU of its own, or its share of the memory."""
    import psutil
    import torch

    from zonkey.config import load_config

    config = load_config(params)
    if config.runtime.device != "cpu" and torch.cuda.is_available():
        return "GPU", torch.cuda.mem_get_info()[0]
    return "memory", psutil.virtual_memory().available // config.train.processes


def table(found: list[Need], where: str, free: int) -> str:
    """For reading; what does not fit is told the fewest micro-batches that do."""
    lines = [f"{'stage':9}  processes  documents  MiB a process"]
    for one in found:
        line = f"{one.stage:9}  {one.processes:9}  {one.documents:9}  {one.bytes / MIB:13,.0f}"
        if one.bytes > free:
            parts = one.fitting(free)
            line += f"  too much: {f'micro_batches {parts}' if parts else 'fewer bytes, or runtime.recompute'}"
        lines.append(line)
    return "\n".join([*lines, f"{free / MIB:,.0f} MiB of {where} are free for each process."]) + "\n"


def _tried(params: Path, stage: str, documents: int) -> int:
    command = [sys.executable, "-m", __name__, str(params), stage, str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        short = done.returncode < 0 or "emory" in said  # killed, or refused
        raise ValueError(f"{stage}: a step of {documents} documents failed ({said}){'; lower its bytes' * short}")
    return int(json.loads(done.stdout))


def peak(params: Path, name: str, documents: int) -> int:
    """Bytes that this process has held at most after the first and the last step of a stage, and of its foresight, on
    built-in text."""
    import torch

    from zonkey.config import load_config
    from zonkey.data import ByteBatch, encyclopedia
    from zonkey.fit.optimizer import Optimizer
    from zonkey.model import Zonkey
    from zonkey.runtime import start
    from zonkey.text import to_tokens
    from zonkey.train import plan
    from zonkey.train.learner import ZonkeyLearner
    from zonkey.transformer import recompute

    config = load_config(params)
    stage, shape, part = plan(config)[name], config.model, _part(name)
    if isinstance(part, int):
        shape = shape.model_copy(update={"levels": shape.levels[: part + 1]})
    runtime, learner = start(config.runtime), ZonkeyLearner(config, stage, part)
    model: Any = Zonkey(shape).to(runtime.device)
    if config.runtime.recompute:
        recompute(model)
    learner.freeze(model)
    average, optimizer = copy.deepcopy(model), Optimizer(model, config.train, stage)
    pieces = encyclopedia.pieces(documents, stage.bytes, config.seed)
    batch = ByteBatch(*(one.to(runtime.device) for one in to_tokens(pieces, stage.bytes)))
    steps = {0, stage.steps - 1}
    if isinstance(part, int):  # what foresight takes comes on top of all terms, until it ends
        steps.add(max(round(shape.levels[part].foresight_until * stage.steps) - 1, 0))
    for step in sorted(steps):
        with runtime.autocast():
            out = learner.forward(model, batch, runtime.generator(config.seed, step), step)
        out.loss.backward()
        optimizer.step(step)
    del average
    return torch.cuda.max_memory_reserved() if runtime.device.type == "cuda" else held()


def held() -> int:
    """Bytes that this process has held at most. On Linux getrusage would count what its parent held, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _part(stage: str) -> Any:
    from zonkey.train.whole import FLOW

    return int(stage.removeprefix("level")) if stage.startswith("level") else FLOW if stage == FLOW else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(peak(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
