"""What a run would leave behind when it is killed: its kernel, what the kernel started, temporary files.

A run gets a folder of its own below the system's temporary folder, and all processes that it starts know its name
(``ZONKEY_RUN``). A second process, in a session of its own, waits until the run is over, however it ends; then it ends
what is left of it and removes the folder. If both are killed, the next run clears up.

A run that DVC began also ends when that DVC does: the next ``dvc repro`` would write the same files.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MARK = "ZONKEY_RUN"
PREFIX = "zonkey-"
DVC_STAGE = "DVC_STAGE"  # DVC sets it for the commands of a stage
SECONDS = 1.0  # between two looks at whoever began the run
ROUNDS = 12


@contextmanager
def guarded() -> Iterator[Path]:
    """A folder for a run's temporary files; give its processes :func:`settings`. Nothing of them outlasts the block.

    Raises:
        OSError: there is no room for temporary files.
    """
    _clear_forgotten()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with (folder / "locking").open("w") as lock:  # held as long as this process lives
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "locking").rename(folder / "lock")  # no lock of this name is ever seen open
        watch = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends this process group leaves it alone
            env={name: value for name, value in os.environ.items() if name != MARK},
        )
        try:
            yield folder
        finally:
            assert watch.stdin is not None
            watch.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                watch.wait(timeout=60)
            clear(folder)  # should that process have been killed, too


def settings(folder: Path) -> dict[str, str]:
    """Environment variables that make a process part of the run of this folder."""
    return {MARK: str(folder), "TMPDIR": str(folder)}


def clear(folder: Path) -> None:
    """End all processes of the run of this folder, and remove the folder."""
    for _ in range(ROUNDS):  # one that is just being started is seen in the next
        left = [process for process in psutil.process_iter() if _value(process, MARK) == str(folder)]
        if not left:
            break
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)
    shutil.rmtree(folder, ignore_errors=True)


def watch(folder: Path, run: int) -> None:
    """Wait until the process ``run``, which holds the other end of standard input, is gone; then clear up."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(run)
        callers = _callers(process)
        while not select.select([sys.stdin], [], [], SECONDS)[0]:
            if not all(_lives(caller) for caller in callers):
                process.kill()
                callers = []
    clear(folder)


def _callers(run: psutil.Process) -> list[psutil.Process]:
    """From the process that started the run to the DVC whose stage it is; nothing if no stage began it.

    Raises:
        psutil.NoSuchProcess: DVC is gone already; the run is killed.
    """
    stage = _value(run, DVC_STAGE)
    callers = run.parents() if stage is not None else []
    for number, caller in enumerate(callers):
        if _value(caller, DVC_STAGE) != stage:  # shells in between have it from DVC
            if _adopts(caller, run):
                run.kill()
                raise psutil.NoSuchProcess(caller.pid)
            return callers[: number + 1]
    return callers


def _adopts(caller: psutil.Process, run: psutil.Process) -> bool:
    """Whether this is no DVC, but what the system gives to processes that have lost theirs."""
    if caller.pid == 1:  # which is DVC in a container that runs nothing else
        return not any("dvc" in word for word in caller.cmdline())
    return os.getsid(caller.pid) != os.getsid(run.pid)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _value(process: psutil.Process, name: str) -> str | None:
    """An environment variable that a process was started with; None where it has none or is another user's."""
    try:
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None


def _clear_forgotten() -> None:
    """Of runs that were killed together with the process that watched them: nobody holds their lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / "lock").open("r+") as lock:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear(folder)


if __name__ == "__main__":
    watch(Path(sys.argv[1]), int(sys.argv[2]))
