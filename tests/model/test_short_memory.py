"""A step that does not fit is parted into smaller micro-batches, and the run goes on."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.model.test_training import StoppedError, run, short, stop_at, weights_of
from zonkey.config import Config
from zonkey.data import ByteBatch
from zonkey.fit.distributed import Ranks
from zonkey.fit.loop import Trainer, TrainingError
from zonkey.fit.optimizer import Optimizer
from zonkey.train.learner import ZonkeyLearner
from zonkey.variants import varied

pytestmark = pytest.mark.usefixtures("unchecked")


def room_for(monkeypatch: pytest.MonkeyPatch, documents: int, from_step: int = 0) -> None:
    """Memory for so many documents in a step, from some step on; it ends when the forward pass has been made."""
    whole = ZonkeyLearner.forward

    def forward(self: ZonkeyLearner, network: Any, batch: ByteBatch, random: Any, step: int | None) -> Any:
        out = whole(self, network, batch, random, step)
        if step is not None and step >= from_step and len(batch.lengths) > documents:
            out.loss.backward()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return out

    monkeypatch.setattr(ZonkeyLearner, "forward", forward)


def parted(parts: int, batch: int = 4) -> Config:
    return varied(short(), {"train.levels.0.micro_batches": parts, "train.levels.0.batch": batch})


@pytest.mark.parametrize(("documents", "parts"), [(1, 4), (2, 2), (3, 2)])
def test_it_goes_on_as_if_asked_for_smaller_ones(
    tmp_path: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    documents: int,
    parts: int,
) -> None:
    run(parted(parts), corpus, tmp_path / "asked")
    room_for(monkeypatch, documents)
    with caplog.at_level(logging.WARNING):
        run(parted(1), corpus, tmp_path / "short")
    assert f"out of memory in step 0; goes on with {parts} micro-batches of {4 // parts} documents" in caplog.text
    assert f"as micro_batches: {parts} would" in caplog.text
    assert weights_of(tmp_path / "short/level0") == weights_of(tmp_path / "asked/level0")


def test_a_resumed_run_remembers_them(tmp_path: Path, corpus: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        room_for(patch, 2, from_step=1)
        run(parted(1), corpus, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        room_for(patch, 2, from_step=1)
        stop_at(patch, 3)
        with pytest.raises(StoppedError):
            run(parted(1), corpus, tmp_path / "parts")
    run(parted(1), corpus, tmp_path / "parts")  # with enough memory
    assert weights_of(tmp_path / "parts/level0") == weights_of(tmp_path / "whole/level0")


def test_one_document_that_does_not_fit_is_an_error(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_for(monkeypatch, 0)
    with pytest.raises(TrainingError, match=r"level 0: out of memory .* in 1 micro-batches; raise micro_batches"):
        run(parted(1), corpus, tmp_path)


def test_what_level_1_observed_in_the_step_is_forgotten(tmp_path: Path, corpus: Path) -> None:
    """What calls for begins around its own is a running mean over steps, not over tries."""

    def trained(folder: Path, parts: int) -> bytes:
        changes = {"train.levels.1.micro_batches": parts, "train.levels.1.batch": 4}
        changes |= {"model.levels.1.splitter_moves": 1, "model.levels.1.target_rate": 0.3}
        config = varied(short(2), changes)
        run(config, corpus, folder)
        run(config, corpus, folder, 1, folder / "level0")
        return weights_of(folder / "level1")

    asked = trained(tmp_path / "asked", 2)
    with pytest.MonkeyPatch.context() as patch:
        room_for(patch, 2)
        assert trained(tmp_path / "short", 1) == asked


def test_one_process_that_was_parted_goes_on_as_several(tmp_path: Path, corpus: Path) -> None:
    """What fits is remembered, not the number of parts: those of one process are not those of another."""
    with pytest.MonkeyPatch.context() as patch:
        room_for(patch, 1)
        stop_at(patch, 3)
        with pytest.raises(StoppedError):
            run(parted(1), corpus, tmp_path)
    two = varied(parted(1), {"train.processes": 2})
    summary = run(two, corpus, tmp_path)
    assert summary.history[-1]["step"] == 6


@pytest.mark.parametrize(("rows", "room", "parts"), [(8, 16, 2), (8, 4, 2), (8, 3, 4), (8, 1, 8), (6, 4, 2), (6, 2, 3)])
def test_parts_are_of_one_size_and_have_room(rows: int, room: int, parts: int) -> None:
    trainer = Trainer.__new__(Trainer)
    trainer.room, trainer.job = room, SimpleNamespace(stage=SimpleNamespace(micro_batches=2))
    assert trainer._parts(rows) == parts


def test_one_of_several_processes_does_not_go_on_alone(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for its gradients: the run ends, and says what to change."""
    room_for(monkeypatch, 2)
    monkeypatch.setattr(Ranks, "join", lambda device: Ranks(0, 2, 0))
    for name in ("wait", "leave"):
        monkeypatch.setattr(Ranks, name, lambda self: None)
    monkeypatch.setattr(Ranks, "wrap", lambda self, model: model)
    monkeypatch.setattr(
        "zonkey.fit.loop.Optimizer", lambda model, shared, stage, world: Optimizer(model, shared, stage)
    )
    with pytest.raises(TrainingError, match="raise micro_batches, lower batch"):
        run(parted(1, batch=8), corpus, tmp_path)
