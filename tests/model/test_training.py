"""The loop: resuming, saving, several processes, schedule; and what it says when it cannot go on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.build import ROOT, bytes_batch, losses, merge, model, only_losses, random, raw
from zonkey import Zonkey
from zonkey.checkpoint import CheckpointError, load_state, save_model, save_state
from zonkey.config import Config, parse
from zonkey.data import PADDING, Batches, Corpus
from zonkey.files import write_beside
from zonkey.fit import code, code_fingerprint
from zonkey.fit.distributed import Ranks
from zonkey.fit.loop import TrainingError
from zonkey.fit.muon import Muon
from zonkey.fit.optimizer import Optimizer, learning_rate, parameter_groups
from zonkey.runtime import start
from zonkey.train import TrainSummary, finetune, stages, train_level
from zonkey.train.learner import Part, ZonkeyLearner, freeze_but

pytestmark = pytest.mark.usefixtures("unchecked")


def short(levels: int = 1, objective: str = "flow", **train: Any) -> Config:
    """A run of six steps that saves after every second."""
    values = raw(levels, objective)
    stage = {"steps": 6, "batch": 2, "bytes": 64}
    merge(values["train"], {"checkpoint_every": 2, "validate_every": 3, "sample_texts": 1, "finetune": stage})
    values["train"]["levels"] = [values["train"]["levels"][0] | stage for _ in range(levels)]
    merge(values["train"], train)
    return parse(Config, values, "test")


def run(config: Config, corpus: Path, folder: Path, level: int = 0, below: Path | None = None) -> TrainSummary:
    return train_level(config, level, corpus, below, folder / f"level{level}", folder / "runs")


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# --- resuming ---------------------------------------------------------------------------------------------


class StoppedError(Exception):
    """What a kill is in these tests."""


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    whole = Batches.at

    def at(self: Batches, number: int) -> Any:
        if number == step and self.corpus.split == "train":
            raise StoppedError
        return whole(self, number)

    monkeypatch.setattr(Batches, "at", at)


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize("step", [1, 4, 5])
def test_a_stopped_run_resumes_exactly(tmp_path: Path, corpus: Path, objective: str, step: int) -> None:
    config = short(objective=objective)
    whole = run(config, corpus, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step)
        with pytest.raises(StoppedError):
            run(config, corpus, tmp_path / "parts")
    assert not (tmp_path / "parts" / "level0").exists()
    parts = run(config, corpus, tmp_path / "parts")
    assert parts == whole
    assert weights_of(tmp_path / "parts" / "level0") == weights_of(tmp_path / "whole" / "level0")


def test_the_bytes_read_are_those_that_the_loop_asked_for(tmp_path: Path, corpus: Path) -> None:
    """In steps of training alone, also of a run that was stopped, and of two processes together."""
    read: dict[int, int] = {}
    whole = Batches.at

    def at(self: Batches, number: int) -> Any:
        batch = whole(self, number)
        if self.corpus.split == "train":
            read[number] = int((batch.tokens < PADDING).sum())
        return batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "at", at)
        summary = run(short(), corpus, tmp_path / "one")
    assert len(read) == 6 and summary.bytes_read == sum(read.values())
    assert run(short(processes=2, sample_texts=0), corpus, tmp_path / "two").bytes_read == summary.bytes_read
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(StoppedError):
            run(short(), corpus, tmp_path / "parts")
    assert run(short(), corpus, tmp_path / "parts").bytes_read == summary.bytes_read


def test_resuming_goes_on_from_the_last_state(tmp_path: Path, corpus: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(StoppedError):
            run(short(), corpus, tmp_path)
    with caplog.at_level("INFO"):
        run(short(), corpus, tmp_path)
    assert "level 0 goes on at step 4 of 6" in caplog.text


def test_another_configuration_resumes_nothing(tmp_path: Path, corpus: Path) -> None:
    run(short(), corpus, tmp_path)
    run(short(weight_decay=0.5), corpus, tmp_path)
    assert len([folder for folder in (tmp_path / "runs").iterdir() if folder.is_dir()]) == 2


def test_a_run_is_the_same_twice(tmp_path: Path, corpus: Path) -> None:
    one, two = (run(short(), corpus, tmp_path / name) for name in "ab")
    assert one == two and weights_of(tmp_path / "a" / "level0") == weights_of(tmp_path / "b" / "level0")


def test_levels_then_all_together(tmp_path: Path, corpus: Path) -> None:
    """A level keeps the levels below as they were; the last stage trains all; folders are whole models."""
    config = short(levels=2)
    run(config, corpus, tmp_path)
    run(config, corpus, tmp_path, 1, tmp_path / "level0")
    summary = finetune(config, corpus, tmp_path / "level1", tmp_path / "final", tmp_path / "runs")
    low, high, final = (Zonkey.from_pretrained(tmp_path / name) for name in ("level0", "level1", "final"))
    for name, value in low.state_dict().items():
        assert torch.equal(high.state_dict()[name], value)
    changed = {
        name.split(".")[1]
        for name, v in final.state_dict().items()
        if name.startswith("levels") and not torch.equal(v, high.state_dict()[name])
    }
    assert changed == {"0", "1"} and not torch.equal(final.codebook, high.codebook)
    assert parse(Config, json.loads((tmp_path / "final" / "params.json").read_text()), "params.json") == config
    kinds = {row.get("kind", "train") for row in summary.history}
    assert kinds == {"train", "validation"} and {"loss", "level0/accuracy", "level1/accuracy"} <= set(summary.metrics)


# --- what cannot be done ----------------------------------------------------------------------------------


def test_stages_that_make_no_sense_are_refused(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"level is 1; params\.yaml has levels 0 to 0"):
        run(short(), corpus, tmp_path, 1)
    with pytest.raises(ValueError, match="level 1 needs the model of the level below"):
        run(short(2), corpus, tmp_path, 1)
    with pytest.raises(ValueError, match="level 0 needs no model below"):
        run(short(2), corpus, tmp_path, 0, tmp_path)


def test_a_lower_level_of_another_shape_is_refused(tmp_path: Path, corpus: Path) -> None:
    model(1, window=9).save_pretrained(tmp_path / "level0")
    with pytest.raises(ValueError, match=r"another shape than params\.yaml asks"):
        run(short(2), corpus, tmp_path, 1, tmp_path / "level0")


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zonkey.level.step as step

    monkeypatch.setattr(step, "indecision", lambda logits, real: logits.sum() * float("nan"))
    with pytest.raises(TrainingError, match="level0/decisive is nan in step 0"):
        run(short(), corpus, tmp_path)
    assert not (tmp_path / "level0").exists()


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_the_earlier_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"step": 3, "history": [{"step": 3, "loss": 1.5}], "model": {"w": torch.ones(2)}}
    save_state(tmp_path, state)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*state\.pt: .*No space left.*free space"):
        save_state(tmp_path, state | {"step": 4})
    kept = load_state(tmp_path)
    assert kept is not None and kept["step"] == 3 and kept["history"] == state["history"]
    assert {path.name for path in tmp_path.iterdir()} == {"state.pt", "history.jsonl"}


def test_a_write_that_stops_midway_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("whole")

    def half(temporary: Path) -> None:
        temporary.write_text("ha")
        full()

    with pytest.raises(OSError, match="No space left"):
        write_beside(path, half)
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_earlier_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, config = model(1), short()
    save_model(built, config, tmp_path / "m")
    before = weights_of(tmp_path / "m")
    monkeypatch.setattr(Zonkey, "save_pretrained", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*No space left"):
        save_model(model(1, seed=3), config, tmp_path / "m")
    assert weights_of(tmp_path / "m") == before and [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_state_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    save_state(tmp_path, {"step": 3, "history": [], "model": {"w": torch.ones(500)}})
    path = tmp_path / "state.pt"
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(CheckpointError, match=r"state\.pt is cut short or damaged"):
        load_state(tmp_path)


def test_a_state_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save(Payload(), tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="damaged"):
        load_state(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_there_may_be_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


# --- optimiser --------------------------------------------------------------------------------------------


@given(st.integers(1, 400), st.integers(1, 40))
def test_the_learning_rate_rises_then_falls(steps: int, warmup: int) -> None:
    warmup = min(warmup, steps)
    rates = [learning_rate(step, steps, warmup, 2.0) for step in range(steps)]
    assert max(rates) == pytest.approx(2.0) and min(rates) > 0
    assert rates[:warmup] == pytest.approx([2.0 * (n + 1) / warmup for n in range(warmup)])
    assert all(a >= b for a, b in zip(rates[warmup:], rates[warmup + 1 :], strict=False))
    assert learning_rate(steps, steps, warmup, 2.0) == pytest.approx(0.02 if steps > warmup else 2.0)


@pytest.mark.parametrize("only", [None, 0, 1, "flow"])
def test_every_trained_parameter_is_in_one_group(only: Part) -> None:
    built = model(2)
    freeze_but(built, only)
    matrices, tables, rest = parameter_groups(built)
    found = [id(p) for p in matrices + tables + rest]
    assert len(found) == len(set(found)) and set(found) == {id(p) for p in built.parameters() if p.requires_grad}
    assert matrices and all(p.dim() == 2 for p in matrices) and id(built.codebook) not in {id(p) for p in matrices}
    assert [id(p) for p in tables] == ([id(built.levels[1].flow.meaning)] if only == "flow" else [])


def test_tables_learn_faster_and_decay_as_slowly() -> None:
    built, config = model(2), short()
    freeze_but(built, "flow")
    optimizer, stage = Optimizer(built, config.train, config.train.levels[0]), config.train.levels[0]
    table, others = built.levels[1].flow.meaning, built.levels[1].flow.places
    for parameter in built.parameters():
        parameter.grad = torch.ones_like(parameter)
    with torch.no_grad():
        table.fill_(1.0), others.fill_(1.0)
    optimizer.step(stage.steps // 2)
    moved, slowly = (1 - part.detach().mean() for part in (table, others))
    assert 40 < moved / slowly < 51


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_a_step_changes_every_parameter_and_clears_gradients(name: str) -> None:
    built, config = model(1), short(optimizer=name)
    for parameter in built.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: value.clone() for key, value in built.named_parameters()}
    optimizer = Optimizer(built, config.train, config.train.levels[0])
    norm = optimizer.step(0)
    assert norm == pytest.approx(sum(p.numel() for p in built.parameters()) ** 0.5, rel=1e-4)
    assert [key for key, value in built.named_parameters() if torch.equal(value, before[key])] == []
    assert all(p.grad is None for p in built.parameters())


def test_muon_for_many_matrices_is_torchs_for_each() -> None:
    """Tall, wide and square ones, several of a shape, over steps, with one that has no gradient; the states too."""
    shapes = [(8, 12), (12, 8), (8, 12), (16, 16), (16, 16), (40, 8)]
    both: list[list[torch.nn.Parameter]] = []
    for _ in range(2):
        source = random()
        both.append([torch.nn.Parameter(torch.randn(*shape, generator=source)) for shape in [*shapes, (8, 12)]])
    options: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.1, "nesterov": True}
    one, many = torch.optim.Muon(both[0], **options), Muon(both[1], **options)
    for step in range(3):
        for parameters, optimizer in zip(both, (one, many), strict=True):
            source = random(step)
            for parameter in parameters[:-1]:
                parameter.grad = torch.randn(parameter.shape, generator=source)
            optimizer.step()
    for want, got in zip(*both, strict=True):
        torch.testing.assert_close(got, want, atol=2e-3, rtol=1e-2)  # products of bfloat16, in another order
    states = [optimizer.state_dict()["state"] for optimizer in (one, many)]
    assert states[0].keys() == states[1].keys() == set(range(len(shapes)))
    for number, state in states[0].items():
        torch.testing.assert_close(states[1][number]["momentum_buffer"], state["momentum_buffer"])


# --- several processes ------------------------------------------------------------------------------------


def test_one_process_needs_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    ranks = Ranks.join("cpu")
    built = model(1)
    assert ranks == Ranks() and ranks.wrap(built) is built
    ranks.wait()
    ranks.leave()


def test_ranks_share_a_batch(corpus: Path) -> None:
    text = Corpus(corpus, "train")
    whole = Batches(text, 4, 64, 0)
    halves = [Batches(text, 4, 64, 0, rank, 2) for rank in range(2)]
    for step in (0, 3):
        rows = {tuple(row.tolist()) for half in halves for row in half.at(step).tokens}
        assert rows == {tuple(row.tolist()) for row in whole.at(step).tokens}


def test_two_processes_train_as_one(tmp_path: Path, corpus: Path) -> None:
    """Six steps of two end with the weights of one process that averages the gradients of both halves itself."""
    config = short(processes=2, sample_texts=0)
    summary = run(config, corpus, tmp_path)
    assert [row["step"] for row in summary.history if "kind" in row] == [0, 3, 6]
    state = load_state(next((tmp_path / "runs").glob("level0-*")))
    assert state is not None
    stage = config.train.levels[0]
    runtime, text = start(config.runtime), Corpus(corpus, "train")
    halves = [Batches(text, stage.batch, stage.bytes, config.seed, rank, 2) for rank in range(2)]
    alone = stages._model(config, 0, None, corpus)
    learner = ZonkeyLearner(config, stage, 0)
    learner.freeze(alone)
    optimizer = Optimizer(alone, config.train, stage)
    for step in range(stage.steps):
        for rank, half in enumerate(halves):
            random = runtime.generator(config.seed, 1, step, rank)
            (learner.forward(alone, half.at(step), random, step).loss / 2).backward()
        optimizer.step(step)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(value, state["model"][name], rtol=1e-3, atol=1e-4, msg=name)


def test_halves_of_a_batch_have_the_loss_of_the_whole() -> None:
    """Terms are means over what a process has, weighted by what each document holds: averaged over processes they are
    those of all together, but for that weighting."""
    built = model(2)
    tokens, lengths = bytes_batch(["The Elkel is a short river in southern Denmark."] * 3 + ["It is 44 km long."])

    def loss(rows: slice, seed: int) -> float:
        return float(built(tokens[rows], lengths[rows], losses(), random(seed)).loss.detach())

    whole = sum(loss(slice(None), seed) for seed in range(30)) / 30
    halves = sum(loss(rows, seed) for seed in range(30) for rows in (slice(0, 2), slice(2, 4))) / 60
    assert halves == pytest.approx(whole, rel=0.05)


def test_one_process_goes_on_where_two_stopped(tmp_path: Path, corpus: Path) -> None:
    """Each of the two holds a part of the optimiser's state; what they save is the whole of it."""
    config = short(processes=2, sample_texts=0)
    run(config, corpus, tmp_path)
    state = load_state(next((tmp_path / "runs").glob("level0-*")))
    assert state is not None
    built = Zonkey.from_pretrained(tmp_path / "level0")
    freeze_but(built, 0)
    optimizer = Optimizer(built, config.train, config.train.levels[0])
    optimizer.load_state_dict(state["optimizer"])
    held = {parameter for part in optimizer.parts for parameter, of in part.state.items() if of}
    assert held == set(optimizer.parameters)


def test_what_one_of_two_processes_says_is_what_is_said(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Term, step, batch and seed, whichever process it happened in; nothing of the launch is left."""
    monkeypatch.setattr("zonkey.fit.run.subprocess.run", instead_of_worker("tests.model.spoiled"))
    with pytest.raises(
        TrainingError, match=r"^level 0: level0/clean is nan in step 4 \(batch 4 of seed 0\); the state"
    ):
        run(short(processes=2, sample_texts=0), corpus, tmp_path)
    assert [path.name.split("-")[0] for path in (tmp_path / "runs").iterdir()] == ["level0"]
    state = load_state(next((tmp_path / "runs").iterdir()))
    assert state is not None and state["step"] == 4


def instead_of_worker(module: str) -> Any:
    """Starts several processes of another module."""
    launch = subprocess.run

    def changed(command: list[str], **options: Any) -> Any:
        return launch([module if part == "zonkey.train.worker" else part for part in command], cwd=ROOT, **options)

    return changed


def test_a_killed_rank_ends_the_run_and_one_process_goes_on(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The other rank waits for it: it has to end too, and what both had done by the last checkpoint is kept."""
    monkeypatch.setattr("zonkey.fit.run.subprocess.run", instead_of_worker("tests.model.dying"))
    with pytest.raises(TrainingError, match=r"2 processes failed with status 1; .* goes on from its last checkpoint"):
        run(short(processes=2, sample_texts=0), corpus, tmp_path)
    assert not (tmp_path / "level0").exists()
    with caplog.at_level("INFO"):
        summary = run(short(processes=1, sample_texts=0), corpus, tmp_path)
    assert "level 0 goes on at step 4 of 6" in caplog.text
    assert [row["step"] for row in summary.history if "kind" in row] == [0, 3, 6]


# --- what a run hangs on ----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's code, whose fingerprints are taken."""
    shutil.copytree(ROOT / "zonkey", tmp_path / "zonkey", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "zonkey")
    return tmp_path / "zonkey"


@pytest.mark.parametrize(
    ("changed", "levels", "baselines"),
    [
        ("stitcher.py", True, False),
        ("level/step.py", True, False),
        ("attention.py", True, True),
        ("fit/optimizer.py", True, True),
        ("data/batches.py", True, True),
        ("baselines/network.py", False, True),
        ("config/read.py", False, False),
        ("files.py", False, False),
        ("evaluate/text.py", False, False),
    ],
)
def test_changed_code_begins_runs_anew(package: Path, changed: str, levels: bool, baselines: bool) -> None:
    modules = ("zonkey.train.stages", "zonkey.baselines.fit")
    before = [code_fingerprint(module) for module in modules]
    path = package / changed
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    after = [code_fingerprint(module) for module in modules]
    assert [one != other for one, other in zip(before, after, strict=True)] == [levels, baselines]


DETERMINISTIC = """
import sys, torch
from pathlib import Path
from tests.model.build import bytes_batch, model, only_losses, random
from zonkey.fit import code, code_fingerprint
from zonkey.fit.distributed import Ranks

torch.set_num_threads(1)
ranks = Ranks.join("cpu")
tokens, lengths = bytes_batch(["a river runs to the sea"] * 4 + ["the sea gives rain back"] * 4)
network = ranks.wrap(built := model(1))
weights = only_losses("window", "short", "rate", "decisive", "regression")
mine = slice(ranks.rank, None, ranks.world)
network(tokens[mine], lengths[mine], weights, random(), None, False).loss.backward()
if ranks.rank == 0:
    torch.save({n: p.grad for n, p in built.named_parameters() if p.grad is not None}, sys.argv[1])
ranks.wait()
ranks.leave()
"""


def test_gradients_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    """The splitter's penalties draw nothing, and both halves of this batch are alike. Regression is no term, but asks
    for the whole pass."""
    script = tmp_path / "step.py"
    script.write_text(DETERMINISTIC)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    settings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for command, name in (([sys.executable, str(script)], "one"), (launch, "two")):
        subprocess.run([*command, str(tmp_path / name)], env=settings, cwd=ROOT, check=True, timeout=400)
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    assert one["levels.0.splitter.begin.weight"].abs().sum() > 0
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, atol=1e-5, rtol=1e-4)


def test_micro_batches_add_up() -> None:
    """The penalties of the splitter draw nothing: their gradient over alike halves is that of the whole."""
    built = model(1)
    weights = only_losses("window", "short", "rate", "decisive", "regression")
    tokens, lengths = bytes_batch(["a river runs to the sea", "the sea gives rain back"] * 2)
    gradients = []
    for parts in (1, 2):
        built.zero_grad()
        for t, n in zip(tokens.chunk(parts), lengths.chunk(parts), strict=True):
            (built(t, n, weights, random(), sampled=False).loss / parts).backward()
        gradients.append(built.levels[0].splitter.begin.weight.grad.clone())
    torch.testing.assert_close(*gradients)
