"""Copies of the repository at the tiny profile, and commands that run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes import MARK, end, mark

ROOT = Path(__file__).resolve().parents[1]
# What may differ between two clones on one machine. (Data workers there are none: a batch follows from seed and step.)
ELSEWHERE = {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "7", "TZ": "Asia/Seoul", "LC_ALL": "C", "COLUMNS": "60"}
MADE = ("build", "data", "models", "metrics", "history", "evaluation", "samples", "figures")


@dataclass(frozen=True)
class Copy:
    """A git repository at the tiny profile."""

    path: Path
    settings: Mapping[str, str] = field(default_factory=dict)  # environment variables of all commands
    mark: str = field(default_factory=mark)  # of all processes that the commands start

    @classmethod
    def make(cls, path: Path, **settings: str) -> Copy:
        """What git does not ignore in this repository, at the tiny profile and committed; nothing has run."""
        copy = cls(path, settings)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, path / name)
        copy.run("git", "init", "--quiet")
        copy.run("zonkey", "profile", "tiny")
        copy.commit()
        return copy

    def clone(self, path: Path, **settings: str) -> Copy:
        """What is committed here, in another place."""
        self.run("git", "clone", "--quiet", str(self.path), str(path))
        return Copy(path, settings)

    @property
    def temporary(self) -> Path:
        """Where its commands put temporary files."""
        return self.path.parent / f"{self.path.name}-tmp"

    def start(self, *command: str, log: Path | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a command there, in a session of its own; it writes to pipes, or all to ``log``."""
        self.temporary.mkdir(exist_ok=True)
        with ExitStack() as stack:
            out = stack.enter_context(log.open("w")) if log else subprocess.PIPE
            return subprocess.Popen(
                command,
                cwd=self.path,
                env=self._environment(),
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                start_new_session=True,
                **options,
            )

    def run(self, *command: str, timeout: float = 1200) -> str:
        """Run a command there; returns its standard output."""
        process = self.start(*command)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            end(self.mark)  # a stage and its kernel do not outlive the test
        assert process.returncode == 0, f"{' '.join(command)} failed:\n{out}\n{err}"
        return out

    def commit(self) -> None:
        """Take everything that git does not ignore into a commit."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "test")

    @property
    def changes(self) -> str:
        """What git would list as changed or new."""
        return self.run("git", "status", "--short")

    def _environment(self) -> dict[str, str]:
        """With this Python's programs first."""
        settings = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.path),
            "TMPDIR": str(self.temporary),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.path.parent / f"{self.path.name}-dvc"),
            "OMP_NUM_THREADS": "1",
            MARK: self.mark,
        }
        for role in ("AUTHOR", "COMMITTER"):
            settings |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
        return {**os.environ, **settings, **self.settings}
