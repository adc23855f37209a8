"""A run that is killed leaves nothing behind: no kernel, no process of the kernel, no temporary file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.processes import MARK, alive, end, mark, survivors, until
from zonkey.notebook.guard import MARK as RUN
from zonkey.notebook.guard import clear, guarded, settings

MINUTE = 60
SOON = 300  # seconds; on a machine that does nothing else it is about one

# What training in several processes does: a process in a session of its own, which would outlive the kernel.
BUSY = """
import pathlib, subprocess, sys, tempfile, time
pathlib.Path(tempfile.mkdtemp(), "file").touch()
command = [sys.executable, "-c", "import time; time.sleep(600)"]
worker = subprocess.Popen(command, start_new_session=True)
pathlib.Path("worker").write_text(str(worker.pid))
while not pathlib.Path("go on").exists():
    time.sleep(0.1)
pathlib.Path("over").touch()
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start a command that runs the busy notebook, and wait until its worker is there."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv(MARK, mark())
    monkeypatch.chdir(tmp_path)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    notebook = new_notebook(cells=[new_code_cell(BUSY)])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, "busy.ipynb")

    def begin(*before: str) -> subprocess.Popen:
        command = [*before, sys.executable, "-m", "papermill", "--engine", "zonkey", "busy.ipynb", "out.ipynb"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert until(lambda: Path("worker").exists() or process.poll() is not None, SOON)
        assert process.poll() is None, process.stderr.read()
        return process

    yield begin
    end(os.environ[MARK])
    signal.signal(signal.SIGINT, ignored)


def nothing_is_left(folder: Path) -> bool:
    left = survivors(os.environ[MARK], SOON)
    assert not left, [process.cmdline() for process in left]
    return not list((folder / "tmp").iterdir())


def kernel() -> psutil.Process:
    (found,) = (process for process in alive(os.environ[MARK]) if "ipykernel_launcher" in process.cmdline())
    return found


def watcher() -> psutil.Process:
    (found,) = (process for process in alive(os.environ[MARK]) if "zonkey.notebook.guard" in process.cmdline())
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_nothing(start: Callable, tmp_path: Path, number: int) -> None:
    run = start()
    assert any((tmp_path / "tmp").iterdir())
    run.send_signal(number)
    assert run.wait(SOON) != 0
    assert nothing_is_left(tmp_path)


def test_a_killed_kernel_leaves_nothing_and_is_a_sentence(start: Callable, tmp_path: Path) -> None:
    run = start()
    kernel().kill()
    _, said = run.communicate(timeout=MINUTE)
    assert run.returncode == 1 and "busy.ipynb: the kernel died" in said.splitlines()[-1]
    assert nothing_is_left(tmp_path)


def test_a_kernel_that_cannot_start_is_a_sentence(start: Callable, tmp_path: Path) -> None:
    Path("broken").mkdir()
    Path("broken", "ipykernel_launcher.py").write_text("raise SystemExit('broken')")
    os.environ["PYTHONPATH"] = f"broken{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    run = subprocess.run(
        [sys.executable, "-m", "papermill", "--engine", "zonkey", "busy.ipynb", "out.ipynb"],
        capture_output=True,
        text=True,
        timeout=SOON,
    )
    assert run.returncode == 1 and "busy.ipynb: the kernel did not start" in run.stderr.splitlines()[-1]
    assert nothing_is_left(tmp_path)


def test_what_runs_on_after_the_last_cell_is_ended(start: Callable, tmp_path: Path) -> None:
    run = start()
    worker = psutil.Process(int(Path("worker").read_text()))
    assert worker.is_running()
    Path("go on").touch()
    _, said = run.communicate(timeout=SOON)
    assert run.returncode == 0, said
    assert nothing_is_left(tmp_path)


def test_the_watcher_killed_alone_is_not_missed(start: Callable, tmp_path: Path) -> None:
    run = start()
    watcher().kill()
    Path("go on").touch()
    assert run.wait(SOON) == 0
    assert nothing_is_left(tmp_path)


def test_the_next_run_clears_up_where_all_was_killed(start: Callable, tmp_path: Path) -> None:
    run = start()
    for process in (watcher(), kernel(), psutil.Process(run.pid)):
        process.kill()
    run.wait(SOON)
    assert alive(os.environ[MARK]), "its worker has outlived it"
    with guarded() as other:
        pass
    assert nothing_is_left(tmp_path)
    assert not other.exists()


def test_a_run_that_goes_on_is_left_alone_by_others(start: Callable, tmp_path: Path) -> None:
    run = start()
    with guarded():
        pass
    Path("go on").touch()
    assert run.wait(SOON) == 0 and Path("over").exists()


LIKE_DVC = (
    sys.executable,
    "-c",
    "import os, subprocess, sys; subprocess.run(sys.argv[1:], env={**os.environ, 'DVC_STAGE': 'train@0'})",
)


@pytest.mark.parametrize("between", [(), ("sh", "-c", '"$@"; true', "sh")], ids=["", "shell"])
def test_a_run_ends_with_the_dvc_that_began_it(start: Callable, tmp_path: Path, between: tuple[str, ...]) -> None:
    dvc = start(*LIKE_DVC, *between)
    dvc.kill()
    dvc.wait(SOON)
    assert nothing_is_left(tmp_path)
    assert not Path("over").exists()


def test_a_run_by_hand_outlives_its_shell(start: Callable, tmp_path: Path) -> None:
    shell = start("sh", "-c", '"$@"; true', "sh")
    shell.kill()
    shell.wait(SOON)
    assert not until(lambda: not kernel().is_running(), 3)
    Path("go on").touch()
    assert until(Path("out.ipynb").exists, SOON) and Path("over").exists()
    assert nothing_is_left(tmp_path)


def test_only_the_run_s_own_processes_are_ended(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    both = []
    for folder in folders:
        folder.mkdir()
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        both.append(subprocess.Popen(command, env=os.environ | settings(folder)))
    try:
        assert until(lambda: all(RUN in psutil.Process(process.pid).environ() for process in both), SOON)
        clear(folders[0])
        assert both[0].poll() is not None and both[1].poll() is None
        assert [folder.exists() for folder in folders] == [False, True]
    finally:
        for process in both:
            process.kill()
            process.wait()
