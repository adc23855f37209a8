"""Lock files of DVC that were cut short: readable again, and nothing else is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.dvcfile import Lockfile
from dvc.repo import Repo

from zonkey.cli import main
from zonkey.cli.mend import BUSY, LOCKS

CUTS = 29  # of which some leave an entry that cannot be read, others one that is only shorter


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What DVC reads of the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.copytree(root / "suites", "suites")
    for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
        shutil.copy(root / name, name)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n")
    Path(BUSY).parent.mkdir()
    return tmp_path


def stages(path: str) -> dict:
    return Lockfile(Repo("."), path).load()["stages"]


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_that_was_cut_short_keeps_its_whole_entries(folder: Path, path: str, capsys) -> None:
    whole, entries = Path(path).read_bytes(), stages(path)
    assert main(["mend"]) == 0
    assert Path(path).read_bytes() == whole and capsys.readouterr().out == "", "nothing to mend"
    unreadable = 0
    for size in range(len(whole) // CUTS, len(whole), len(whole) // CUTS):
        Path(path).write_bytes(whole[:size])
        assert main(["mend"]) == 0
        kept = stages(path) if Path(path).exists() else {}
        unreadable += capsys.readouterr().out != ""
        complete = list(kept)[:-1]  # DVC runs the last again where it is not the same
        assert {name: kept[name] for name in complete} == {name: entries[name] for name in complete}
        assert not kept or whole.startswith(Path(path).read_bytes())
        assert len(kept) >= whole[:size].count(b"\n    cmd: ") - 1
    assert unreadable > 1, "these cuts show nothing"


@pytest.mark.parametrize("content", [b"schema: '2.0'\nstages:\n  prep", b"\xff\xfe", b"- 1\n", b"stages: [\n"])
def test_a_lock_without_a_whole_entry_begins_anew(folder: Path, content: bytes, capsys) -> None:
    Path("dvc.lock").write_bytes(content)
    assert main(["mend"]) == 0
    assert capsys.readouterr().out == "dvc.lock was unreadable and is removed\n"
    assert not Path("dvc.lock").exists()


def test_locks_of_processes_that_are_gone_are_lifted(folder: Path, capsys: pytest.CaptureFixture) -> None:
    dvc = subprocess.Popen(["sh", "-c", "sleep 600; true", "dvc"])
    try:
        live = {"pid": dvc.pid, "cmd": "dvc repro"}
        dead = {"pid": 2**22 + 1, "cmd": "dvc repro"}
        other = {"pid": os.getpid(), "cmd": "dvc repro"}  # its number was given to another process
        busy = {"read": {"a": [dead, live], "b": [dead], "c": [other]}, "write": {"a": dead, "b": live, "c": other}}
        Path(BUSY).write_text(json.dumps(busy))
        assert main(["mend"]) == 0
        assert json.loads(Path(BUSY).read_text()) == {"read": {"a": [live]}, "write": {"b": live}}
        assert "processes that are gone" in capsys.readouterr().out
        assert main(["mend"]) == 0 and capsys.readouterr().out == ""
    finally:
        dvc.kill()
        dvc.wait()


@pytest.mark.parametrize("content", ["", "{", '{"read": {"a'])
def test_an_unreadable_lock_of_paths_is_removed(folder: Path, content: str) -> None:
    Path(BUSY).write_text(content)
    assert main(["mend"]) == 0
    assert not Path(BUSY).exists()


def test_a_dvc_at_work_is_not_disturbed(folder: Path, capsys: pytest.CaptureFixture) -> None:
    Path(BUSY).write_text("{")
    with Repo(".").lock:
        assert main(["mend"]) == 2
    assert "DVC is running in ." in capsys.readouterr().err
    assert Path(BUSY).exists()


def test_elsewhere_it_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mend"]) == 2
    error = capsys.readouterr().err
    assert "not inside of a DVC repository" in error and error.count("\n") == 1
