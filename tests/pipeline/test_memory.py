"""What ``zonkey info --memory`` foretells is what steps take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.repository import ROOT
from zonkey.cli import main, memory
from zonkey.cli.memory import FEW, MIB, Need, needs, room, table
from zonkey.cli.profile import apply


def params_of(profile: str, folder: Path) -> Path:
    path = Path(shutil.copy(ROOT / "params.yaml", folder))
    apply(profile, path, ROOT / "profiles", {})
    return path


def need(**changes: int) -> Need:
    values = {"processes": 2, "micro_batches": 1, "documents": 8, "fixed": 300 * MIB, "each": 50 * MIB} | changes
    return Need("level0", **values)


def test_what_small_steps_took_tells_what_large_ones_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By hand: 100 MiB and 10 a document; level 0 of the default has 16 documents a step for two processes."""
    tried = []

    def take(params: Path, stage: str, documents: int) -> int:
        tried.append((stage, documents))
        return (100 + 10 * documents) * MIB

    monkeypatch.setattr(memory, "_tried", take)
    found = {one.stage: one for one in needs(params_of("default", tmp_path))}
    assert list(found) == ["level0", "level1", "finetune", "flow"]
    assert tried == [(stage, documents) for stage in found for documents in FEW]
    first = found["level0"]
    assert (first.processes, first.documents, first.fixed, first.each) == (2, 8, 100 * MIB, 10 * MIB)
    assert first.bytes == 180 * MIB


@pytest.mark.parametrize(("free", "parts"), [(700, 1), (699, 2), (500, 2), (400, 4), (350, 8), (349, None)])
def test_the_fewest_micro_batches_that_fit(free: int, parts: int | None) -> None:
    assert need().fitting(free * MIB) == parts


def test_the_table_says_what_to_do() -> None:
    assert "too much" not in table([need()], "memory", 700 * MIB)
    assert "700 MiB of memory are free for each process" in table([need()], "memory", 700 * MIB)
    assert "too much: micro_batches 2" in table([need()], "memory", 699 * MIB)
    assert "too much: fewer bytes, or runtime.recompute" in table([need()], "GPU", 300 * MIB)


@pytest.mark.parametrize(("device", "where", "share"), [("cpu", "memory", 2), ("auto", "GPU", 1), ("cuda", "GPU", 1)])
def test_every_process_has_a_gpu_or_its_share_of_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, where: str, share: int
) -> None:
    params = params_of("default", tmp_path)
    apply("default", params, ROOT / "profiles", {"runtime.device": device})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (1000, 2000))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    assert room(params) == (where, 1000 // share)


def test_a_step_takes_what_was_foretold(tmp_path: Path) -> None:
    """Within 20%, three times as many documents as the larger step that was tried."""
    params, documents = params_of("default", tmp_path), 3 * FEW[1]
    held = torch.ones(2**28)  # what this process holds is none of theirs
    small, large = (memory._tried(params, "level0", count) for count in FEW)
    each = (large - small) // (FEW[1] - FEW[0])
    told = need(documents=documents, fixed=small - FEW[0] * each, each=each)
    assert told.bytes == pytest.approx(memory._tried(params, "level0", documents), rel=0.2)
    assert told.bytes > 1.2 * large, "documents count"
    assert large < held.nbytes


@pytest.mark.parametrize("stage", ["level1", "finetune", "flow"])
def test_every_stage_can_be_tried(stage: str, tmp_path: Path) -> None:
    params = params_of("tiny", tmp_path)
    assert memory._tried(params, stage, 32) > memory._tried(params, stage, 1)


def test_the_command_prints_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    params = str(params_of("default", tmp_path))
    monkeypatch.setattr(memory, "needs", lambda params: [need()])
    assert main(["info", "--memory", "--json", "--params", params]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stages"]["level0"]["bytes"] == 700 * MIB and found["free"] > 0
    assert main(["info", "--memory", "--params", params]) == 0
    assert "level0" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["models/x", "--memory"], ["--params", "params.yaml"]])
def test_options_that_would_be_ignored_are_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", *given]) == 2
    assert given[0] in capsys.readouterr().err or given[1] in capsys.readouterr().err


def test_a_step_that_fails_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["info", "--memory", "--params", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"level7: a step of 2 documents failed \(KeyError: 'level7'\)$"):
        memory._tried(params_of("tiny", tmp_path), "level7", 2)
