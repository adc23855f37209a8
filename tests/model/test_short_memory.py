"""A step that does not fit is parted into smaller micro-batches, and the run goes on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.test_training import StoppedError, run, short, stop_at, weights_of
from zonkey.config import Config
from zonkey.data import ByteBatch
from zonkey.fit.loop import TrainingError
from zonkey.train.learner import ZonkeyLearner
from zonkey.variants import varied

pytestmark = pytest.mark.usefixtures("unchecked")


def room_for(monkeypatch: pytest.MonkeyPatch, documents: int, from_step: int = 0) -> None:
    """Memory for so many documents in a training step, from some step on."""
    whole = ZonkeyLearner.forward

    def forward(self: ZonkeyLearner, network: Any, batch: ByteBatch, random: Any, step: int | None) -> Any:
        if step is not None and step >= from_step and len(batch.lengths) > documents:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, network, batch, random, step)

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
    with pytest.raises(TrainingError, match=r"level 0: out of memory .* lower bytes"):
        run(parted(1), corpus, tmp_path)
