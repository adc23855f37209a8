"""One trial: a stage is begun anew, killed, and run again as a user would; what was lost?"""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ruamel.yaml import YAML

from tests.chaos.aim import LOOK, SIGNALS, TARGETS, Clock, jobs, strike
from tests.chaos.state import Digests, differences, leftovers, results
from tests.processes import alive, end
from tests.repository import Copy

RUNS = {"train@0": "level0-*", "train@1": "level1-*", "finetune": "finetune-*", "flow": "flow-*"}  # training states
STAGES = ("prepare", *RUNS, "sample")  # that are killed alone
AGAIN = ("dvc", "repro")
GRACE = 4.0  # seconds of processor time for what a kill has left to notice: less than any stage takes
ASLEEP = 900.0  # seconds by the wall, for what does not compute
UNREADABLE = re.compile(r"dvc\.lock' validation failed|unable to read: '.*dvc\.lock'|Unable to read RWLock-file")


@dataclass(frozen=True)
class Kill:
    """When, by the processor time that the run has had, whom (the first that there is), and how."""

    seconds: float
    targets: tuple[str, ...]
    number: signal.Signals


@dataclass(frozen=True)
class Plan:
    """A stage, or the whole pipeline, and the kills on the way; ``dvc repro`` follows each."""

    stage: str | None
    kills: tuple[Kill, ...]


@dataclass
class Outcome:
    """What a trial saw."""

    struck: list[tuple[str, str, str]] = field(default_factory=list)  # signal, target, and all that were there
    missed: int = 0  # kills that would have come after the end
    resumed: list[int] = field(default_factory=list)  # steps at which training went on
    mended: int = 0  # how often DVC could not read its own lock file
    afterlife: float = 0.0  # seconds, the longest, that anything ran on after DVC
    faults: list[str] = field(default_factory=list)


def draw(random: random.Random, lasts: dict[str, float], tried: Mapping[str, int]) -> Plan:
    """One of the stages ``tried`` least, at any moment of the seconds that it takes, any signal to any process; one of
    four twice."""
    stages = [stage for stage in STAGES if stage in lasts]
    least = min(tried.get(stage, 0) for stage in stages)
    stage = random.choice([stage for stage in stages if tried.get(stage, 0) == least])
    count = random.choice((1, 1, 1, 2))
    return Plan(stage, tuple(draw_kill(random, lasts[stage]) for _ in range(count)))


def draw_kill(random: random.Random, lasts: float) -> Kill:
    """Any moment within ``lasts`` seconds, any signal, any process."""
    order = tuple(random.sample(TARGETS, len(TARGETS)))
    return Kill(random.uniform(0, lasts), order, random.choice(SIGNALS))


def repro(copy: Copy) -> dict[str, float]:
    """Run the pipeline to its end; returns the processor time, in seconds, of ``dvc repro`` for each stage alone."""
    run, clock = _start(copy, AGAIN), Clock(copy.mark)
    ended = {"": 0.0}  # of each stage, in their order; before the first, DVC reads its files
    while run.poll() is None:
        begun = ["", *re.findall(r"Running stage '(.*)'", _log(copy).read_text())]
        ended[begun[-1]] = clock.seconds()
        time.sleep(LOOK)
    assert run.returncode == 0, _log(copy).read_text()
    return {stage: ended[stage] - ended[before] + ended[""] for before, stage in pairwise(ended)}


def forget(copy: Copy, stage: str) -> None:
    """Take the training state of a stage, and DVC's memory of it: as if it had never run.

    Its entry in the lock goes, too: DVC would take outputs that are gone from its cache instead of running the stage.
    """
    for path in (copy.path / "runs").glob(RUNS[stage]) if stage in RUNS else ():
        shutil.rmtree(path)
    shutil.rmtree(copy.path / ".dvc" / "cache" / "runs", ignore_errors=True)
    yaml = YAML()
    lock = yaml.load(copy.path / "dvc.lock")
    del lock["stages"][stage]
    yaml.dump(lock, copy.path / "dvc.lock")


def trial(copy: Copy, plan: Plan, expected: Digests) -> Outcome:
    """Carry out a plan, and compare the repository with what it should be."""
    outcome, command = Outcome(), AGAIN
    if plan.stage is not None:
        forget(copy, plan.stage)
        command = _command(plan.stage)
    try:
        for kill in plan.kills:
            _begin_and_kill(copy, command, kill, outcome)
            command = AGAIN
        _run_to_the_end(copy, outcome)
    finally:
        end(copy.mark)
    outcome.faults += differences(results(copy.path), expected)
    outcome.faults += leftovers(copy.path, copy.temporary)
    return outcome


def _command(stage: str) -> tuple[str, ...]:
    return (*AGAIN, "--force", "--single-item", stage)


def _begin_and_kill(copy: Copy, command: tuple[str, ...], kill: Kill, outcome: Outcome) -> None:
    run = _start(copy, command)
    if Clock(copy.mark).strikes(kill.seconds, over=lambda: run.poll() is not None):
        there = " ".join(sorted(jobs(copy.mark)))
        outcome.struck.append((kill.number.name, strike(run, copy.mark, kill.targets, kill.number), there))
    else:
        outcome.missed += 1
    _mend(copy, _over(copy, run, outcome), outcome)


def _run_to_the_end(copy: Copy, outcome: Outcome) -> None:
    """``dvc repro``; where DVC cannot read its own lock, as `make repro` does: mended, and again."""
    for _ in range(2):
        run = _start(copy, AGAIN)
        said = _over(copy, run, outcome)
        if run.returncode == 0:
            return
        if not _mend(copy, said, outcome):
            break
    outcome.faults.append(f"`dvc repro` ended with status {run.returncode}: {said[-1500:]}")


def _start(copy: Copy, command: tuple[str, ...]) -> subprocess.Popen[str]:
    return copy.start(*command, log=_log(copy))


def _log(copy: Copy) -> Path:
    return copy.path.parent / f"{copy.path.name}.log"


def _over(copy: Copy, run: subprocess.Popen[str], outcome: Outcome) -> str:
    """Wait until a run is over, and see that nothing of it lives on; returns what it said."""
    run.wait()
    began, clock = time.monotonic(), Clock(copy.mark)
    asleep = began + ASLEEP
    clock.strikes(clock.seconds() + GRACE, over=lambda: not alive(copy.mark) or time.monotonic() > asleep)
    outcome.faults += [f"{' '.join(process.cmdline())} survived" for process in alive(copy.mark)]
    end(copy.mark)
    outcome.afterlife = max(outcome.afterlife, time.monotonic() - began)
    said = _log(copy).read_text(encoding="utf-8", errors="replace")
    outcome.resumed += [int(step) for step in re.findall(r"goes on at step (\d+) of", said)]
    return said


def _mend(copy: Copy, said: str, outcome: Outcome) -> bool:
    """Whether DVC could not read its own lock; now it can."""
    if not UNREADABLE.search(said):
        return False
    copy.run("zonkey", "mend")
    outcome.mended += 1
    return True
