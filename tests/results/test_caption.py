"""What stands above a table: from metrics and parameters of the same run, or not at all."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from zonkey.cli import main
from zonkey.config import parse
from zonkey.results import Measured, load_page
from zonkey.results.caption import APART, OLDER, caption
from zonkey.results.schema import Table

PARAMS: dict[str, Any] = {
    "seed": 3,
    "data": {"source": "encyclopedia"},
    "train": {"levels": [{"steps": 600}, {"steps": 500}], "finetune": {"steps": 60}, "flow": {"steps": 900}},
    "baselines": {"stage": {"steps": 1160}},
}
METRICS = {
    "prepare.bytes.train": 1000,
    "train_level0.bytes_read": 3000,
    "train_level1.bytes_read": 2000,
    "finetune.bytes_read": 500,
    "flow.bytes_read": 4000,
    "baseline_language.bytes_read": 5600,
    "baseline_language.train_bytes": 1001,
    "baseline_judge.bytes_read": 5400,
    "baseline_judge.train_bytes": 900,
}
LEVELS = "the levels read 5,500 bytes in 600 + 500 + 60 steps"
MODEL = f"1,000 bytes of training text; {LEVELS}"
BASELINES = "each baseline read 5,600 bytes in 1160 steps"
JUDGE = "the judge read 5,400 bytes of 900 that no other model reads"


def table(**changes: Any) -> Table:
    raw = {"title": "Cuts", "command": "dvc repro", "rows": ["cut.*"], "first": "of", "columns": {"F1": "f1"}}
    return parse(Table, raw | changes, "test")


def suite(**changes: Any) -> Table:
    return table(command="dvc repro suites/dvc.yaml:cut", **changes)


def corpus(metrics: dict[str, float] | None = None, **params: Any) -> Measured:
    """``params``: what was published for the pipeline and for the suites; both the same unless given."""
    kept = {"pipeline": PARAMS, "suites": PARAMS} | params
    found = {folder: kept[name] for name, folder in (("pipeline", ""), ("suites", "suites")) if kept[name] is not None}
    older = tuple(folder for folder in ("", "suites") if folder not in found)
    return Measured(METRICS if metrics is None else metrics, {}, found, older, Path("reports"), "../reports")


def changed(name: str, value: Any) -> dict[str, Any]:
    params = copy.deepcopy(PARAMS)
    holder: Any = params
    *path, last = name.split(".")
    for key in path:
        holder = holder[key]
    holder[last] = value
    return params


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (table(), f"{MODEL}; seed 3"),
        (table(budget=["levels", "flows"]), f"{MODEL}, their flows 4,000 more in 900 steps; seed 3"),
        (suite(budget=["levels", "baselines"]), f"{MODEL}; {BASELINES}; seed 3"),
        (suite(budget=["baselines", "judge"]), f"1,001 bytes of training text; {BASELINES}; {JUDGE}; seed 3"),
    ],
)
def test_it_tells_who_read_how_much(spec: Table, said: str) -> None:
    assert caption(spec, corpus()) == said


def test_what_was_not_measured_is_not_told() -> None:
    assert caption(table(budget=["levels", "flows", "baselines", "judge"]), corpus({})) == "seed 3"
    text = {"prepare.bytes.train": 7}  # published before training counted what it reads
    assert caption(table(), corpus(text)) == "7 bytes of training text; seed 3"
    no_flows = METRICS | {"flow.bytes_read": 0}  # the objective has none
    assert caption(table(budget=["levels", "flows"]), corpus(no_flows)) == f"{MODEL}; seed 3"


def test_parameters_that_were_not_kept_are_not_made_up() -> None:
    counted = MODEL.replace(" in 600 + 500 + 60 steps", "")  # by the run's own metrics
    assert caption(table(), corpus(pipeline=None)) == f"{counted}; {OLDER}"
    assert caption(suite(budget=["levels", "baselines"]), corpus(suites=None)) == (
        f"each baseline read 5,600 bytes; {OLDER}"
    )
    assert caption(suite(), corpus(pipeline=None)) == "seed 3"  # the pipeline may have run again since
    assert caption(table(), corpus(pipeline=changed("train.finetune", None))) == f"{counted}; seed 3"


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 4), ("data.source", "text"), ("train.finetune.steps", 61), ("train.levels", [])]
)
def test_what_another_model_read_is_not_told(name: str, value: Any) -> None:
    one = corpus(suites=changed(name, value))
    assert caption(suite(), one) == f"{APART}; seed {4 if name == 'seed' else 3}"
    assert caption(table(), one) == f"{MODEL}; seed 3"


def test_other_parameters_of_measuring_leave_the_model_the_same() -> None:
    assert caption(suite(), corpus(suites=changed("baselines.stage.steps", 7))) == f"{MODEL}; seed 3"


def test_runs_of_their_own_go_from_the_least_to_the_most() -> None:
    def run(name: str, text: int, levels: int, flows: int) -> dict[str, float]:
        numbers = {"train_bytes": text, "bytes_read.levels": levels, "bytes_read.flows": flows, "f1": 1}
        return {f"{name}.{key}": value for key, value in numbers.items()}

    seeds = table(rows=["seed*"], runs="seed*", seeds=True)
    metrics = METRICS | run("seed0", 1000, 5000, 4000) | run("seed10", 1000, 5100, 3950)
    assert caption(seeds, corpus(metrics)) == (
        "1,000 bytes of training text; each run read 9,000 to 9,050 bytes, 3,950 to 4,000 of them for its flows;"
        " seeds 0, 10"
    )
    budgets = table(rows=["budget_*"], runs="budget_*")
    metrics = METRICS | run("budget_text25", 250, 5000, 0) | run("budget_steps50", 1000, 2500, 0)
    assert caption(budgets, corpus(metrics)) == (
        "250 to 1,000 bytes of training text; each run read 2,500 to 5,000 bytes; seed 3"
    )


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"cut.documents": 60, "cut.bytes": 34142}, "held-out text of 60 documents, 34,142 bytes; "),
        ({"cut.data.documents": 60, "cut.data.bytes": 34142}, "held-out text of 60 documents, 34,142 bytes; "),
        ({"cut.documents": 60, "cut.level0.bytes": 1.0}, ""),
        ({"other.documents": 60, "other.bytes": 34142}, ""),
    ],
)
def test_it_tells_how_much_was_held_out(metrics: dict[str, float], said: str) -> None:
    assert caption(table(), corpus(metrics)) == f"{said}seed 3"


def write(reports: Path, part: str, params: str | None, **files: dict[str, Any]) -> None:
    folder = reports / part / "default"
    (folder / "metrics").mkdir(parents=True)
    for name, content in files.items():
        (folder / "metrics" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    if params is not None:
        (folder / "params.yaml").write_text(params, encoding="utf-8")


def page(folder: Path) -> str:
    assert main(["results", "--reports", str(folder / "reports"), "--out", str(folder / "docs" / "results.md")]) == 0
    return (folder / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kept", [True, False])
def test_the_page_reads_the_parameters_beside_the_metrics(tmp_path: Path, root: Path, kept: bool) -> None:
    params = (root / "params.yaml").read_text(encoding="utf-8").replace("seed: 0\n", "seed: 41\n", 1) if kept else None
    written = {"level1": {"word_share": 0.5, "texts": 100}}
    write(tmp_path / "reports", "", params, evaluate={"generation": written}, flow={"bytes_read": 77})
    read = {"train_level0": {"bytes_read": 70}, "finetune": {"bytes_read": 30}}
    for name, content in read.items():
        (tmp_path / "reports" / "default" / "metrics" / f"{name}.json").write_text(json.dumps(content))
    text = page(tmp_path)
    steps = YAML(typ="safe").load(root / "params.yaml")["train"]
    joined = " + ".join(str(one["steps"]) for one in (*steps["levels"], steps["finetune"]))
    command = "`python -m zonkey profile default && dvc repro`"
    if kept:
        assert (
            f"**Built-in corpus.** The levels read 100 bytes in {joined} steps, their flows 77 more in"
            f" {steps['flow']['steps']} steps; seed 41; [parameters](../reports/default/params.yaml), {command}.\n"
        ) in text
        assert OLDER not in text
    else:
        assert (
            "**Built-in corpus.** The levels read 100 bytes, their flows 77 more;"
            f" {OLDER}; {command} makes a new one.\n"
        ) in text
        assert f"\nBuilt-in corpus, pipeline: {OLDER}.\n" in text and f"Wikipedia, pipeline: {OLDER}" not in text


def test_parameters_that_cannot_be_read_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "reports", "suites", "seed: [\n")
    arguments = ["results", "--reports", str(tmp_path / "reports"), "--out", str(tmp_path / "results.md")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "suites/default/params.yaml is not valid YAML" in error and error.count("\n") == 1


def test_where_the_model_writes_its_flows_are_told() -> None:
    generation = next(section for section in load_page().sections if section.id == "generation")
    others = {"Judge and baselines on held-out text"} | {one.title for one in generation.tables if "whole" in one.title}
    assert len(others) == 2, "tables of others' texts"
    for one in generation.tables:
        assert (bool(one.runs) or "flows" in one.budget) != (one.title in others), one.title
