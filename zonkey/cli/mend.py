"""Mending what DVC leaves half-written when it is killed: its lock files, which it writes in place.

The window is short, but a kill inside it makes every later ``dvc repro`` fail until somebody edits the file by hand.
Nothing has to run again for it: what a lost entry says is in DVC's run cache, too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psutil
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo

from zonkey.files import write_beside

LOCKS = ("dvc.lock", "suites/dvc.lock")
BUSY = ".dvc/tmp/rwlock"  # which processes read and write which paths
STAGE = re.compile(rb"(?m)^  (\S.*):$")  # where the entry of a stage begins


def mend(root: Path) -> list[str]:
    """Make DVC's files below ``root`` readable again; returns what was done, by lines.

    Raises:
        ValueError: ``root`` is no DVC repository, or a DVC is at work there.
    """
    try:
        repo = Repo(str(root))
        with repo.lock:
            lines = [_mend_lock(repo, root / name, name) for name in LOCKS]
            return [line for line in (*lines, _mend_busy(root / BUSY)) if line]
    except LockError:
        raise ValueError(f"DVC is running in {root}; wait until it is done, or stop it") from None
    except DvcException as error:
        raise ValueError(str(error)) from None


def _mend_lock(repo: Repo, path: Path, name: str) -> str | None:
    """Drop entries from the end of a lock file until DVC can read it."""
    lost: list[str] = []
    while path.is_file() and not _readable(repo, path):
        whole = path.read_bytes()
        begins = list(STAGE.finditer(whole))
        if len(begins) < 2:
            path.unlink()
            return f"{name} was unreadable and is removed"
        lost.append(begins[-1][1].decode(errors="replace"))
        write_beside(path, whole[: begins[-1].start()].decode())
    return f"{name} was cut short in {', '.join(lost)}" if lost else None


def _readable(repo: Repo, path: Path) -> bool:
    try:
        Lockfile(repo, str(path)).load()
    except DvcException:
        return False
    return True


def _mend_busy(path: Path) -> str | None:
    """Drop processes that are gone, also where another process has got the number of one since."""
    if not path.is_file():
        return None
    try:
        busy = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        path.unlink()
        return f"{path.name} was unreadable and is removed"
    write = {name: user for name, user in busy.get("write", {}).items() if _is_dvc(user)}
    read = {name: [user for user in users if _is_dvc(user)] for name, users in busy.get("read", {}).items()}
    kept = {"read": {name: users for name, users in read.items() if users}, "write": write}
    kept = {kind: paths for kind, paths in kept.items() if paths}
    if kept == {kind: paths for kind, paths in busy.items() if paths}:
        return None
    write_beside(path, json.dumps(kept))
    return f"{path.name} named processes that are gone"


def _is_dvc(user: dict[str, Any]) -> bool:
    try:
        return any("dvc" in word for word in psutil.Process(user["pid"]).cmdline())
    except psutil.Error:
        return False
