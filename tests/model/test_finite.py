"""Numbers stay finite where they could not be smaller or more certain; and where they do not, a run stops in time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import zonkey.level.step
from tests.model.build import TEXTS, bytes_batch, losses, model, random
from tests.model.build import config as tiny
from tests.model.test_training import run, short, weights_of
from zonkey import Zonkey
from zonkey.checkpoint import load_state
from zonkey.data import Batches, ByteBatch
from zonkey.fit.loop import TrainingError
from zonkey.fit.optimizer import Optimizer
from zonkey.runtime import Runtime
from zonkey.variants import varied

pytestmark = pytest.mark.usefixtures("unchecked")

log = logging.getLogger(__name__)

# Biases of the splitter and of the begin head: existence e^-103 is the smallest float, e^-87 the smallest exact one.
PUSHED = {
    "no begins": (-1e4, -1e4),
    "all begins": (1e4, 1e4),
    "least begins": (-103.0, -103.0),
    "least existence": (103.0, 103.0),
    "small against large": (87.3, -87.3),
}
DOCUMENTS = [TEXTS, ["ab", "c"], ["a", TEXTS[0]], ["aaaaaaaa", "aaaaaaaab"], [" " * 70, "🌊"]]
CASES = 4 * len(PUSHED)
STEPS = int(os.environ.get("FINITE_STEPS", "300")) // CASES  # of every case; `make finite` takes 20,000 over all


def push(network: Zonkey, splitter: float, head: float) -> None:
    for level in network.levels:
        torch.nn.init.constant_(level.splitter.bias, splitter)
        torch.nn.init.constant_(level.denoiser.begin_bias, head)


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("pushed", PUSHED)
def test_training_stays_finite(objective: str, precision: torch.dtype, pushed: str) -> None:
    """Whole steps of all levels, now and then of the flows alone; begins are pushed back before each."""
    network, shared = model(2, objective), tiny(2, objective).train
    optimizer = Optimizer(network, shared, shared.finetune)
    runtime, weights = Runtime(torch.device("cpu"), precision), losses(short=1.0, masked_rows=0.5)
    batches = [bytes_batch(rows) for rows in DOCUMENTS]
    for step in range(STEPS):
        push(network, *PUSHED[pushed])
        flows = objective == "flow" and step % 4 == 3
        with runtime.autocast():
            out = network(*batches[step % len(batches)], weights, random(step), "flow" if flows else None)
            out.loss.backward()
        terms = {
            f"level {number}: {name}": float(value)
            for number, level in enumerate(out.levels)
            if level is not None
            for name, value in (level.losses.named() | level.metrics.named()).items()
        }
        assert out.loss.isfinite(), f"step {step}: {terms}"
        assert all(abs(value) < float("inf") for value in terms.values()), f"step {step}: {terms}"
        norm = optimizer.step(0)
        assert norm < float("inf"), f"gradient {norm} at step {step}: {terms}"
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    log.info("%s, %s, %s: %d steps, all finite", objective, pushed, precision, STEPS)


@pytest.mark.parametrize("pushed", PUSHED)
@pytest.mark.parametrize("text", ["ab", "aaaaaaaa", TEXTS[1]])
def test_one_segment_and_all_segments_are_read_and_written(pushed: str, text: str) -> None:
    network = model(2).eval()
    push(network, *PUSHED[pushed])
    splitter, head = PUSHED[pushed]
    starts = network.segment(text).levels[0].starts
    size = len(text.encode())
    assert starts == tuple(range(0, size, 1 if splitter > 0 else 8))
    vectors = network.encode([text])
    assert vectors.vectors.isfinite().all()
    written = network.levels[0].decode(*network.inputs([text], 1)[:2])
    assert written.x.isfinite().all() and written.p.isfinite().all()
    assert int(written.lengths[0]) == len(starts) * (1 if head > 0 else 8)


# --- a loss that is not finite ----------------------------------------------------------------------------


class Poison:
    """Spoils the term ``decisive`` in one micro-batch of one training step (both count from 0)."""

    def __init__(self, patch: pytest.MonkeyPatch, step: int, part: int, what: str) -> None:
        whole, term = Batches.at, zonkey.level.step.indecision
        left = [-1]  # micro-batches until the one that is spoilt

        def at(batches: Batches, number: int) -> ByteBatch:
            if batches.corpus.split == "train":
                left[0] = part if number == step else -1
            return whole(batches, number)

        def indecision(logits: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
            left[0] -= 1
            if left[0] != -1 or not torch.is_grad_enabled():
                return term(logits, real)
            zero = logits.sum() * 0
            return term(logits, real) + (zero.sqrt() if what == "gradient" else zero + float(what))

        patch.setattr(Batches, "at", at)
        patch.setattr(zonkey.level.step, "indecision", indecision)


def stopped(folder: Path, corpus: Path, part: int, what: str) -> str:
    """What a run says that is spoilt in its last step, the sixth; it saves after every second."""
    config = varied(short(), {"train.levels.0.micro_batches": 2})
    with pytest.MonkeyPatch.context() as patch:
        Poison(patch, 5, part, what)
        with pytest.raises(TrainingError) as caught:
            run(config, corpus, folder)
    assert not (folder / "level0").exists()
    return str(caught.value)


def numbers(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (1, "nan"),
        (1, "inf"),
        (0, "nan"),
        (0, "gradient"),
        (1, "gradient"),
    ],
)
def test_a_run_that_is_spoilt_stops_at_its_last_good_state(tmp_path: Path, corpus: Path, part: int, what: str) -> None:
    """The state on disk is finite, and a run from it ends as one that was never spoilt."""
    stopped(tmp_path / "spoilt", corpus, part, what)
    (folder,) = (tmp_path / "spoilt" / "runs").iterdir()
    state = load_state(folder)
    assert state is not None and state["step"] == 4
    assert all(value.isfinite().all() for value in numbers(state))
    for name in ("spoilt", "whole"):
        run(varied(short(), {"train.levels.0.micro_batches": 2}), corpus, tmp_path / name)
    assert weights_of(tmp_path / "spoilt" / "level0") == weights_of(tmp_path / "whole" / "level0")


def test_a_run_that_is_spoilt_names_term_and_batch(tmp_path: Path, corpus: Path) -> None:
    says = stopped(tmp_path, corpus, 1, "nan")
    assert "level0/decisive is nan" in says and "batch 5" in says and "\n" not in says


def test_a_term_of_weight_0_stops_nothing(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Poison(monkeypatch, 5, 0, "nan")
    run(varied(short(), {"losses.decisive": 0.0}), corpus, tmp_path)
    assert all(value.isfinite().all() for value in Zonkey.from_pretrained(tmp_path / "level0").state_dict().values())
