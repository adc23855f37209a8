"""The benchmarks at a size at which nothing is worth timing: what they count, and that every kind of case runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import against, cases, operators, scaling
from benchmarks.measure import measured, products, timed
from benchmarks.profile import profile
from benchmarks.table import markdown
from tests.model.build import config
from zonkey.config import Config
from zonkey.train.learner import Part
from zonkey.train.speed import training_step

pytestmark = pytest.mark.usefixtures("_tiny")
TINY = config(2)


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cases, "ROOT", tmp_path)  # no trained model and no corpus
    monkeypatch.setattr(cases, "LETTERS", 64)
    monkeypatch.setattr(cases, "reference_shape", lambda model, decompressor="parallel": model)
    monkeypatch.setattr("benchmarks.profile.reference_shape", lambda model: model)
    monkeypatch.setattr("benchmarks.measure.best_product", lambda runtime: 1e9)


def test_a_row_follows_from_the_time_and_the_products() -> None:
    a = torch.ones(64, 64)
    work = lambda: a @ a  # noqa: E731
    assert products(work) == 2 * 64**3
    row = measured(work, cases.runtime_of(TINY), size=1000)
    assert row["bytes/s"] == pytest.approx(1000 / (row["ms"] / 1000))
    assert row["utilisation"] == pytest.approx(2 * 64**3 / (row["ms"] / 1000) / 1e9)
    assert row["MiB"] >= row["MiB above start"] >= 0


def test_times_are_medians_without_the_first_calls() -> None:
    calls: list[int] = []
    assert timed(lambda: calls.append(1), cases.runtime_of(TINY), warm_up=2, repeats=3) < 1
    assert len(calls) == 5


@pytest.mark.parametrize("part", [None, 0, 1, "flow"])
def test_a_step_trains_its_part(part: Part) -> None:
    built = cases.built(TINY.model, cases.runtime_of(TINY))
    step = training_step(TINY, built, cases.runtime_of(TINY), 2, 64, part)
    before = {name: value.clone() for name, value in built.named_parameters()}
    step()
    changed = {name for name, value in built.named_parameters() if not torch.equal(value, before[name])}
    kinds = {"flow" if ".flow." in name else name.split(".")[1] for name in changed if name.startswith("levels.")}
    assert kinds == {None: {"0", "1"}, 0: {"0"}, 1: {"1"}, "flow": {"flow"}}[part]


@pytest.mark.parametrize(
    ("case", "variant", "column"),
    [
        ("step", "level 0", "bytes/s"),
        ("encode", "1 document of 1 kB", "bytes/s"),
        ("generate", "4 steps", "bytes/s"),
        ("infill", "4 bytes", "s"),
        ("data", "crops of 512 bytes", "skipped"),
        ("generate", "as configured", "s for 20,000 bytes"),
        ("stage", "60_figures", "skipped"),
        ("repro", "dvc repro", "skipped"),
    ],
)
def test_cases_give_rows(case: str, variant: str, column: str) -> None:
    row = cases.CASES[case].variants[variant](TINY)
    assert column in row and (column == "skipped" or row[column] > 0)
    json.dumps(row)


def test_both_of_a_pair_of_operators_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways to the same numbers: but for the rounding of bfloat16."""
    monkeypatch.setattr(operators, "S", 3)
    for one, other in [
        (operators.softmax(torch.bfloat16), operators.softmax(torch.float32)),
        (operators.gate(False), operators.gate(True)),
        (operators.attention(True), operators.attention(False)),
    ]:
        for left, right in zip(one(), other(), strict=True):  # type: ignore[call-overload]
            torch.testing.assert_close(left, right, atol=0.1, rtol=0.05)


def test_an_operator_is_timed() -> None:
    assert cases.operator(TINY, lambda: lambda: None, repeats=3)["ms"] >= 0


def test_shares_of_the_profile_add_up() -> None:
    rows = profile(TINY, steps=1)
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)
    assert {"products of the model", "copies", "element-wise and the rest"} <= set(rows)


def test_the_table() -> None:
    rows = {"one": {"ms": 12345.6, "model": "final"}, "two": {"ms": 0.01234}}
    assert markdown(rows) == "|  | ms | model |\n| --- | --- | --- |\n| one | 12,346 | final |\n| two | 0.0123 |  |\n"


def fake(status: int) -> Any:
    return lambda *_, **__: subprocess.CompletedProcess([], status, '{"ms": 1.5}', "Traceback\nValueError: no room")


@pytest.mark.parametrize("status", [0, 1])
def test_the_command_prints_and_keeps_what_it_found(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command.subprocess, "run", fake(status))
    assert command.main(["repro", "--out", str(tmp_path / "found.json")]) == status
    found = json.loads((tmp_path / "found.json").read_text())["repro"]["dvc repro"]
    assert found == ({"failed": "ValueError: no room"} if status else {"ms": 1.5})
    told = json.loads((tmp_path / "found.json").read_text())["machine"]
    assert {"commit", "processor", "torch", "minutes"} <= set(told)
    assert "## `dvc repro` with nothing to do" in capsys.readouterr().out


def test_rows_are_shares_of_the_first() -> None:
    rows = command._compared({"a": {"ns": 2.0}, "b": {"failed": "no room"}, "c": {"ns": 3.0}}, "ns")
    assert rows["c"]["ns, of the first row's"] == 1.5 and rows["b"] == {"failed": "no room"}


def test_an_unknown_case_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert "no case 'speed'; choose from step, size" in capsys.readouterr().err


def test_one_variant_writes_a_row_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def given(path: Path) -> Config:
        return TINY

    monkeypatch.setattr(command, "load_config", given)
    assert command.main(["--one", "data", "crops of 512 bytes"]) == 0
    assert json.loads(capsys.readouterr().out) == {"skipped": "no data/corpus: run `dvc repro prepare`"}


def test_a_checkout_against_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Both do the same: the ratio is somewhere near one, and nothing of the steps that do not count is in it."""
    assert against.main([str(against.ROOT), "--documents", "1", "--size", "16", "--part", "0", "--steps", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0.3 < found["ratio"] < 3 and [len(times) for times in found["seconds"]] == [3, 3]
    assert found["ratio"] == pytest.approx(found["this"] / found["other"])


def test_another_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        against.main([str(tmp_path)])
    assert "is no checkout of this project" in capsys.readouterr().err


def test_a_projection_by_hand() -> None:
    """10 operations a byte on two GPUs of 50 a second, half used: 5 bytes a second."""
    row = scaling.projected(each=10, size=5 * 7200, utilisation=0.5, peak=50, gpus=2, price=3)
    assert row == {"million bytes/s": 5e-6, "hours": 2.0, "price": 12.0}


def test_arithmetic_of_a_byte_grows_with_the_width() -> None:
    """Eight times the operations of products for a model that is twice as wide would be too many, one too few."""
    (small, few), (large, many) = (scaling.arithmetic(config(1, width=width)) for width in (16, 32))
    assert 3 < large / small < 4.5 and 2 < many / few < 4.5
