"""The whole pipeline at the tiny profile, in copies of the repository."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from zonkey.config import load_config
from zonkey.data import Batches, Corpus
from zonkey.train import plan

ROOT = Path(__file__).resolve().parents[2]
MADE = ("build", "data", "models", "metrics", "history", "evaluation", "samples", "figures")
STRICT = ("00_tour", "10_prepare")  # their outputs do not come from training


@dataclass(frozen=True)
class Copy:
    """A git repository at the tiny profile."""

    path: Path

    def run(self, *command: str, timeout: float = 1200) -> str:
        """Run a command there, with this Python's programs first; returns its standard output."""
        settings = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.path),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.path.parent / "dvc-site"),
            "OMP_NUM_THREADS": "1",
        }
        for role in ("AUTHOR", "COMMITTER"):
            settings |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@example.org"}
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env={**os.environ, **settings},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):  # a stage and its kernel do not outlive the test
                os.killpg(process.pid, signal.SIGKILL)
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


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy where the pipeline has run once, and its results are committed."""
    copy = Copy(tmp_path_factory.mktemp("pipeline") / "first")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy.path / name)
    copy.run("git", "init", "--quiet")
    copy.run("zonkey", "profile", "tiny")
    copy.commit()
    copy.run("dvc", "repro")
    copy.commit()
    return copy


def test_everything_is_made(repository: Copy) -> None:
    for name in MADE:
        assert (repository.path / name).is_dir()
    published = repository.path / "reports" / "tiny"
    executed = sorted(path.name for path in (repository.path / "build" / "executed").iterdir())
    assert sorted(path.name for path in published.glob("*.ipynb")) == executed
    assert len(executed) == 9, "two levels are trained by one notebook"
    assert (published / "params.yaml").read_bytes() == (repository.path / "params.yaml").read_bytes()


def test_the_metrics_of_training_say_how_much_text_was_read(repository: Copy) -> None:
    config, corpus = load_config(repository.path / "params.yaml"), Corpus(repository.path / "data" / "corpus", "train")
    for name, stage in plan(config).items():
        batches = Batches(corpus, stage.batch, stage.bytes, config.seed)
        read = sum(int(batches.at(step).lengths.sum()) for step in range(stage.steps))
        file = f"train_{name}.json" if name.startswith("level") else f"{name}.json"
        assert json.loads((repository.path / "metrics" / file).read_text())["bytes_read"] == read


def test_a_second_run_runs_nothing_and_is_quick(repository: Copy) -> None:
    began = _seconds_of_children()
    said = repository.run("dvc", "repro")
    assert "Running stage" not in said and "up to date" in said
    assert _seconds_of_children() - began < 5
    assert repository.changes == ""


def test_a_fresh_clone_makes_the_same_bytes(repository: Copy, tmp_path: Path) -> None:
    clone = Copy(tmp_path / "second")
    repository.run("git", "clone", "--quiet", str(repository.path), str(clone.path))
    clone.run("dvc", "repro")
    assert clone.run("git", "diff") == ""
    assert clone.changes == ""


def test_the_commands_run_on_the_model(repository: Copy) -> None:
    assert json.loads(repository.run("zonkey", "info", "models/final", "--json"))["parameters"] > 0
    texts = [json.loads(repository.run("zonkey", "generate", "-n", "2", "--json", "--seed", "1")) for _ in range(2)]
    assert len(texts[0]) == 2 and texts[0] == texts[1]
    assert repository.run("zonkey", "segment", "The donkey.").startswith("level 0: ")
    assert repository.run("zonkey", "infill", "The {gap:4} end").startswith("The ")
    assert repository.run("zonkey", "reconstruct", "The donkey.")


@pytest.mark.parametrize("name", STRICT)
def test_outputs_that_do_not_come_from_training_are_the_stored_ones(repository: Copy, name: str) -> None:
    _nbval(repository, "--nbval", f"reports/tiny/{name}.ipynb")


def test_the_published_tour_is_the_one_that_the_code_gives(repository: Copy) -> None:
    assert (repository.path / "reports" / "default" / "00_tour.ipynb").is_file(), "publish the default profile"
    _nbval(repository, "--nbval", "reports/default/00_tour.ipynb")


def test_notebooks_run_by_hand_and_change_nothing(repository: Copy) -> None:
    for path in sorted((repository.path / "notebooks").glob("[0-6]*.ipynb")):  # the suites have their own stages
        _nbval(repository, "--nbval-lax", str(path.relative_to(repository.path)))
    assert "Running stage" not in repository.run("dvc", "repro")
    assert repository.changes == ""


def _seconds_of_children() -> float:
    """Processor time: how long it takes on a machine that does nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _nbval(copy: Copy, *options: str) -> None:
    """nbval hangs on a dead kernel, so cells and the whole have their time."""
    copy.run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.pipeline.without_stderr",
        "--nbval-current-env",
        "--nbval-cell-timeout=300",
        *options,
        timeout=1200,
    )
