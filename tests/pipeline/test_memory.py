"""What ``zonkey info --memory`` foretells is what steps take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("free", "parts"), [(1400, 1), (1399, 2), (1000, 2), (800, 4), (700, 8), (699, None)])
def test_the_fewest_micro_batches_that_fit(free: int, parts: int | None) -> None:
    assert need().fitting(free * MIB) == parts


def test_the_table_says_what_to_do() -> None:
    assert "too much" not in table([need()], 1400 * MIB)
    assert "1,400" in table([need()], 1400 * MIB)
    assert "too much: micro_batches 2" in table([need()], 1399 * MIB)
    assert "too much: fewer bytes, or runtime.recompute" in table([need()], 600 * MIB)


def test_a_step_takes_what_was_foretold(tmp_path: Path) -> None:
    """Within 20%, three times as many documents as the larger step that was tried."""
    params, documents = params_of("default", tmp_path), 3 * FEW[1]
    small, large = (memory._tried(params, "level0", count) for count in FEW)
    each = (large - small) // (FEW[1] - FEW[0])
    told = need(documents=documents, fixed=small - FEW[0] * each, each=each)
    assert told.bytes == pytest.approx(memory._tried(params, "level0", documents), rel=0.2)
    assert told.bytes > 1.5 * small, "documents count"


@pytest.mark.parametrize("stage", ["level1", "finetune", "flow"])
def test_every_stage_can_be_tried(stage: str, tmp_path: Path) -> None:
    assert memory._tried(params_of("tiny", tmp_path), stage, 1) > 50 * MIB


def test_the_command_prints_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(memory, "needs", lambda params: [need()])
    assert main(["info", "--memory", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stages"]["level0"]["bytes"] == 700 * MIB and abs(found["free"] / room() - 1) < 0.5
    assert main(["info", "--memory"]) == 0
    assert "level0" in capsys.readouterr().out


def test_a_step_that_fails_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["info", "--memory", "--params", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    with pytest.raises(ValueError, match="level7: a step of 2 documents failed"):
        memory._tried(params_of("tiny", tmp_path), "level7", 2)
