"""What a repository holds after the pipeline has run: its results, byte by byte, and what should not be there."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from tests.repository import MADE

Digests = dict[str, str]  # by path


def results(folder: Path) -> Digests:
    """Digests of all that the pipeline makes, and of what git tracks and it changes."""
    roots = [folder / name for name in (*MADE, "reports", "params.yaml")]
    files = [path for root in roots for path in (sorted(root.rglob("*")) if root.is_dir() else [root])]
    found = {str(path.relative_to(folder)): _digest(path, "sha256") for path in files if path.is_file()}
    lock = YAML(typ="safe").load(folder / "dvc.lock")  # in any order: an entry that was lost is added at the end
    return found | {"dvc.lock": hashlib.sha256(json.dumps(lock, sort_keys=True).encode()).hexdigest()}


def differences(found: Digests, expected: Digests) -> list[str]:
    """One line for each file that is missing, additional or of other bytes."""
    lines = [f"{path} is missing" for path in expected.keys() - found.keys()]
    lines += [f"{path} is left over" for path in found.keys() - expected.keys()]
    lines += [f"{path} has other bytes" for path in expected.keys() & found.keys() if found[path] != expected[path]]
    return sorted(lines)


def leftovers(folder: Path, temporary: Path) -> list[str]:
    """One line for each lock, half-written or temporary file in a repository and in its folder for temporary files."""
    return [
        *(f"{path} is a temporary file" for path in _files(temporary)),
        *(f"{path} is half-written" for path in _files(folder) if path.name.endswith((".partial", ".new", "~"))),
        *_locks(folder / ".dvc" / "tmp"),
        *_cache(folder / ".dvc" / "cache" / "files" / "md5"),
        *_states(folder / "runs"),
    ]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if ".git" not in path.parts)


def _locks(folder: Path) -> Iterator[str]:
    """The files stay; what counts is whether anybody holds them."""
    for name in ("lock", "rwlock.lock"):
        if (folder / name).exists():
            with (folder / name).open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield f"{folder / name} is locked"
    if (folder / "rwlock").exists():
        found = json.loads((folder / "rwlock").read_text())
        users = [
            *found.get("write", {}).values(),
            *(user for users in found.get("read", {}).values() for user in users),
        ]
        for number in {user["pid"] for user in users}:  # DVC passes over those of dead processes
            if psutil.pid_exists(number):
                yield f"{folder / 'rwlock'} names process {number}"


def _cache(folder: Path) -> Iterator[str]:
    """DVC names each object by its content."""
    for path in _files(folder):
        if path.is_file():
            name = f"{path.parent.name}{path.name}".removesuffix(".dir")
            if path.name.endswith(".tmp"):
                yield f"{path} is a temporary file"
            elif _digest(path, "md5") != name:
                yield f"{path} is damaged"


def _states(folder: Path) -> Iterator[str]:
    """A folder of training state holds the state and its history, nothing else."""
    for path in folder.glob("*/*"):
        if path.name not in ("state.pt", "history.jsonl"):
            yield f"{path} is no training state"


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
