"""The whole pipeline at the tiny profile, in copies of the repository."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from tests.pipeline.nbval import nbval
from tests.repository import ELSEWHERE, MADE, Copy
from zonkey.config import load_config
from zonkey.data import Batches, Corpus
from zonkey.train import plan

STRICT = ("00_tour", "10_prepare")  # their outputs do not come from training


def test_everything_is_made(repository: Copy) -> None:
    for name in MADE:
        assert (repository.path / name).is_dir()
    published = repository.path / "reports" / "tiny"
    executed = sorted(path.name for path in (repository.path / "build" / "executed").iterdir())
    assert sorted(path.name for path in published.glob("*.ipynb")) == executed
    assert len(executed) == 9, "two levels are trained by one notebook"
    assert (published / "params.yaml").read_bytes() == (repository.path / "params.yaml").read_bytes()


def test_the_metrics_of_training_say_how_much_text_was_read(repository: Copy) -> None:
    config, corpus = load_config(repository.path / "params.yaml"), Corpus(repository.path / "data" / "corpus", "train")
    for name, stage in plan(config).items():
        batches = Batches(corpus, stage.batch, stage.bytes, config.seed)
        read = sum(int(batches.at(step).lengths.sum()) for step in range(stage.steps))
        file = f"train_{name}.json" if name.startswith("level") else f"{name}.json"
        assert json.loads((repository.path / "metrics" / file).read_text())["bytes_read"] == read


def test_a_second_run_runs_nothing_and_is_quick(repository: Copy) -> None:
    began = _seconds_of_children()
    said = repository.run("dvc", "repro")
    assert "Running stage" not in said and "up to date" in said
    assert _seconds_of_children() - began < 5
    assert repository.changes == ""


def test_a_fresh_clone_makes_the_same_bytes(repository: Copy, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "second", **ELSEWHERE)
    clone.run("dvc", "repro")
    assert clone.run("git", "diff") == ""
    assert clone.changes == ""


def test_the_commands_run_on_the_model(repository: Copy) -> None:
    assert json.loads(repository.run("zonkey", "info", "models/final", "--json"))["parameters"] > 0
    texts = [json.loads(repository.run("zonkey", "generate", "-n", "2", "--json", "--seed", "1")) for _ in range(2)]
    assert len(texts[0]) == 2 and texts[0] == texts[1]
    assert repository.run("zonkey", "segment", "The donkey.").startswith("level 0: ")
    assert repository.run("zonkey", "infill", "The {gap:4} end").startswith("The ")
    assert repository.run("zonkey", "reconstruct", "The donkey.")


@pytest.mark.parametrize("name", STRICT)
def test_outputs_that_do_not_come_from_training_are_the_stored_ones(repository: Copy, name: str) -> None:
    repository.run(*nbval("--nbval", "--nbval-figures", f"reports/tiny/{name}.ipynb"))


def test_notebooks_run_by_hand_and_change_nothing(repository: Copy) -> None:
    for path in sorted((repository.path / "notebooks").glob("[0-6]*.ipynb")):  # the suites have their own stages
        repository.run(*nbval("--nbval-lax", str(path.relative_to(repository.path))))
    assert "Running stage" not in repository.run("dvc", "repro")
    assert repository.changes == ""


def _seconds_of_children() -> float:
    """Processor time: how long it takes on a machine that does nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
