"""Processes that a test started: found by a mark in their environment, whatever their parent or session."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakSet

import psutil

MARK = "ZONKEY_TEST"
_SETTLED = 5.0  # seconds after which a process has become the program that it is to be, with its own environment
_strangers: WeakSet[psutil.Process] = WeakSet()  # processes without any mark: looked at once, there are many


def mark() -> str:
    """A value of the variable ``ZONKEY_TEST`` that no other process has."""
    return uuid.uuid4().hex


def alive(mark: str) -> list[psutil.Process]:
    """Processes with this mark that run; a parent that was itself started by pytest may have to reap the others."""
    return [process for process in psutil.process_iter() if _has(process, mark)]


def survivors(mark: str, seconds: float) -> list[psutil.Process]:
    """Processes with this mark that still run after so many seconds; returns as soon as there are none."""
    until(lambda: not alive(mark), seconds)
    return alive(mark)


def end(mark: str) -> None:
    """Kill all that have this mark."""
    while left := alive(mark):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def until(true: Callable[[], object], seconds: float) -> bool:
    """Whether it became true within so many seconds."""
    last = time.monotonic() + seconds
    while not true():
        if time.monotonic() > last:
            return False
        time.sleep(0.02)
    return True


def _has(process: psutil.Process, mark: str) -> bool:
    if process in _strangers:
        return False
    try:
        found = process.environ().get(MARK)
        if found is None and time.time() - process.create_time() > _SETTLED:
            _strangers.add(process)
        return found == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
