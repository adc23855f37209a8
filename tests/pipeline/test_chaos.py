"""The kill trials of ``make chaos``: what they look at, that they see a loss, and two of them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos import trial as chaos
from tests.chaos.aim import ALL, GROUP, TARGETS, Clock, jobs, strike
from tests.chaos.state import Digests, differences, leftovers, results
from tests.chaos.trial import Kill, Plan, draw, trial
from tests.processes import MARK, alive, end, mark, until
from tests.repository import Copy

LOST = ".dvc/tmp/rwlock"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository and its temporary folder, as they are after a run."""
    for name in ("tmp", "here/.dvc/tmp", "here/runs/level0-ab", "here/models/final", "here/.dvc/cache/files/md5"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("runs/level0-ab/state.pt", "runs/level0-ab/history.jsonl", "models/final/config.json", "params.yaml"):
        (tmp_path / "here" / name).write_text("a")
    (tmp_path / "here" / "dvc.lock").write_text("stages: {a: 1, b: 2}")
    (tmp_path / "here" / ".dvc/tmp/lock").touch()
    (tmp_path / "here" / LOST).write_text(json.dumps({"read": {"x": [{"pid": 2**22 + 1, "cmd": "dvc"}]}}))
    digest = hashlib.md5(b"a").hexdigest()
    cached = tmp_path / "here" / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    cached.parent.mkdir()
    cached.write_text("a")
    return tmp_path / "here"


def test_what_a_run_leaves_is_no_leftover(folder: Path) -> None:
    assert leftovers(folder, folder.parent / "tmp") == []


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("../tmp/zonkey-x/kernel.json", "", "zonkey-x is a temporary file"),
        ("models/.final.partial/config.json", "", ".final.partial is half-written"),
        ("runs/level0-ab/.state.pt.partial", "", ".state.pt.partial is half-written"),
        ("runs/level0-ab/other", "", "other is no training state"),
        (".dvc/cache/files/md5/ab/cdef", "a", "cdef is damaged"),
        (".dvc/cache/files/md5/ab/.x.tmp", "a", ".x.tmp is a temporary file"),
        (LOST, json.dumps({"write": {"x": {"pid": os.getpid(), "cmd": "dvc"}}}), f"names process {os.getpid()}"),
    ],
)
def test_leftovers_are_seen(folder: Path, path: str, content: str, sentence: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(content)
    assert any(sentence in line for line in leftovers(folder, folder.parent / "tmp"))


def test_a_lock_that_is_held_is_seen(folder: Path) -> None:
    with (folder / ".dvc/tmp/lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [line.split()[-1] for line in leftovers(folder, folder.parent / "tmp")] == ["locked"]


def test_differences_name_the_file(folder: Path) -> None:
    expected = results(folder)
    assert set(expected) == {"models/final/config.json", "params.yaml", "dvc.lock"}
    (folder / "dvc.lock").write_text("stages: {b: 2, a: 1}")
    assert differences(results(folder), expected) == []
    (folder / "dvc.lock").write_text("stages: {a: 1}")
    (folder / "params.yaml").unlink()
    (folder / "models" / "other").write_text("a")
    assert differences(results(folder), expected) == [
        "dvc.lock has other bytes",
        "models/other is left over",
        "params.yaml is missing",
    ]


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """Something like a run: a parent, and a child in a session of its own that calls itself a kernel."""
    monkeypatch.setenv(MARK, mark())
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass', 'ipykernel_launcher'],"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{child} start_new_session=True)", "/dvc"], start_new_session=True
    )
    assert until(lambda: set(jobs(os.environ[MARK])) == {"dvc", "kernel"}, 60)
    yield parent
    end(os.environ[MARK])
    parent.wait()


@pytest.mark.parametrize(
    ("targets", "struck", "left"),
    [
        (("worker", "kernel", "dvc"), "kernel", set()),
        (("dvc", "kernel"), "dvc", {"kernel"}),
        ((GROUP,), GROUP, {"kernel"}),
        ((ALL, GROUP), ALL, set()),
    ],
)
def test_a_kill_hits_the_first_that_there_is(family: subprocess.Popen, targets: tuple, struck: str, left: set) -> None:
    assert strike(family, os.environ[MARK], targets, signal.SIGKILL) == struck
    assert until(lambda: family.poll() is not None and set(jobs(os.environ[MARK])) == left, 60)


def test_the_clock_counts_what_all_have_computed(family: subprocess.Popen) -> None:
    clock = Clock(os.environ[MARK])
    began = clock.seconds()
    assert clock.strikes(began + 0.3, over=lambda: False)
    assert clock.seconds() >= began + 0.3
    end(os.environ[MARK])
    assert not clock.strikes(began + 1000, over=lambda: not alive(os.environ[MARK]))


def test_moments_signals_and_targets_vary_and_repeat() -> None:
    lasts = {"prepare": 3.0, "sample": 5.0, "publish": 9.0}
    plans = [draw(Random(seed), lasts, {}) for seed in (*range(200), 0)]
    assert plans[0] == plans[-1]
    kills = [kill for plan in plans for kill in plan.kills]
    assert {plan.stage for plan in plans} == {"prepare", "sample"}
    assert {kill.targets[0] for kill in kills} == set(TARGETS)
    assert {kill.number for kill in kills} == {signal.SIGKILL, signal.SIGTERM}
    assert {len(plan.kills) for plan in plans} == {1, 2}
    assert max(kill.seconds for kill in kills) < 5
    assert {draw(Random(seed), lasts, {"prepare": 2, "sample": 1}).stage for seed in range(20)} == {"sample"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_that_is_killed_goes_on_to_the_same_bytes(
    copy: Copy, expected: Digests, number: signal.Signals
) -> None:
    """DVC alone is killed: that its run ends with it, or runs on and spoils the next, is up to this project."""
    run = copy.start("dvc", "repro", "--force", "--single-item", "train@0", log=copy.path.parent / "log")
    assert until(lambda: list(copy.path.glob("runs/level0-*/state.pt")), 1200)
    assert strike(run, copy.mark, ("dvc",), number) == "dvc"
    assert until(lambda: run.poll() is not None and not alive(copy.mark), 600)  # DVC takes a zombie for one at work
    outcome = trial(copy, Plan(None, ()), expected)
    assert outcome.faults == [] and len(outcome.resumed) == 1


def test_a_loss_is_seen(copy: Copy, expected: Digests, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial(copy, Plan(None, ()), expected).faults == []
    outcome = trial(copy, Plan("prepare", (Kill(0.1, ("all",), signal.SIGKILL),)), expected | {"models/x": "0"})
    assert outcome.faults == ["models/x is missing"] and outcome.struck[0][:2] == ("SIGKILL", "all")
    monkeypatch.setattr(chaos, "ASLEEP", 1.0)
    copy.start("sleep", "600")
    assert trial(copy, Plan(None, ()), expected).faults == ["sleep 600 survived"]
    (copy.path / "dvc.yaml").write_text("stages: [")
    assert "`dvc repro` ended with status" in trial(copy, Plan(None, ()), expected).faults[0]
