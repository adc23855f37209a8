"""When and whom to kill: a clock that a busy machine does not slow, and the processes of a run by their job."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.processes import alive

# What tells the processes of a run apart: the first of these that ends a word of the command line.
JOBS = {
    "watcher": "zonkey.notebook.guard",
    "launcher": "torch.distributed.run",
    "worker": "zonkey.train.worker",
    "kernel": "ipykernel_launcher",
    "engine": "/papermill",
    "dvc": "/dvc",
}
GROUP, ALL = "group", "all"  # DVC and what shares its process group, as a terminal ends it; every process there is
TARGETS = (*JOBS, GROUP, ALL)
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
LOOK = 0.2  # seconds between two looks at the clock


class Clock:
    """Processor time of all processes with a mark.

    On a busy machine a run takes longer by the wall, but not by this clock: a moment keeps its place in the run.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.latest: dict[psutil.Process, float] = {}

    def seconds(self) -> float:
        """Until now."""
        for process in alive(self.mark):
            with suppress(psutil.Error):
                self.latest[process] = sum(process.cpu_times()[:2])
        return sum(self.latest.values())

    def strikes(self, seconds: float, over: Callable[[], object]) -> bool:
        """Wait until the processes have computed for so long, or it is ``over``; whether the first came first."""
        while not over():
            if self.seconds() >= seconds:
                return True
            time.sleep(LOOK)
        return False


def jobs(mark: str) -> dict[str, list[psutil.Process]]:
    """The processes with this mark, by their job."""
    found: dict[str, list[psutil.Process]] = {}
    for process in alive(mark):
        with suppress(psutil.Error):
            words = process.cmdline()
            job = next((job for job, end in JOBS.items() if any(word.endswith(end) for word in words)), "other")
            found.setdefault(job, []).append(process)
    return found


def strike(run: subprocess.Popen[str], mark: str, targets: tuple[str, ...], number: signal.Signals) -> str:
    """Send a signal to the first of ``targets`` that there is; returns its name.

    Raises:
        ValueError: there is none.
    """
    found = jobs(mark)
    for target in targets:
        if target == GROUP:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, number)
            return target
        victims = [process for some in found.values() for process in some] if target == ALL else found.get(target, [])
        for process in victims:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if victims:
            return target
    raise ValueError(f"none of {targets} runs")
