"""A full disk, a folder that cannot be written, a file that goes under a run: one sentence, and nothing is lost."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.chaos.state import Digests, leftovers, results
from tests.pipeline.starve import FULL, READ_ONLY, SMALL, WAYS, no_large_file, starved
from tests.processes import until
from tests.repository import Copy
from zonkey.cli.profile import apply
from zonkey.config import load_config
from zonkey.data import SPLITS, Corpus, prepare
from zonkey.notebook.plain import KERNEL

REASON = {
    FULL: "No space left on device",
    SMALL: "File too large",
    READ_ONLY: "Read-only file system|Permission denied",
}
FREE = "free (space or choose|or choose space)"
REMEDY = {FULL: FREE, SMALL: FREE, READ_ONLY: f"{FREE}|name a place|change its permissions"}
CLI = (sys.executable, "-m", "zonkey")
PAPERMILL = (sys.executable, "-m", "papermill", "--engine", "zonkey")
LARGE = 20_000  # bytes

STATE = """
import pathlib, sys, torch
from zonkey.checkpoint import CheckpointError, save_state
try:
    save_state(pathlib.Path("made/run"), {"step": 2, "history": [], "model": {"w": torch.ones(100_000)}})
except CheckpointError as error:
    sys.exit(str(error))
"""
TRAIN = (*PAPERMILL, "build/notebooks/20_train_level.ipynb", "build/executed/20_train_level0.ipynb", "-p", "level", "0")
MODEL = """
import pathlib, sys
from zonkey import Zonkey, load_config
from zonkey.checkpoint import CheckpointError, save_model
config = load_config()
try:
    save_model(Zonkey(config.model), config, pathlib.Path("made/model"))
except CheckpointError as error:
    sys.exit(str(error))
"""
CASES = {
    "strip": (*CLI, "notebooks", "strip", "notebooks", "made/notebooks"),
    "publish": (*CLI, "notebooks", "publish", "notebooks", "figures", "--out", "made/reports"),
    "profile": (*CLI, "profile", "tiny", "--params", "made/params.yaml", "--profiles", "profiles"),
    "results": (*CLI, "results", "--verdicts", "docs/verdicts.yaml", "--out", "made/results.md"),
    "notebook": (*PAPERMILL, "notebooks/a.ipynb", "made/notebooks/a.ipynb"),
    "corpus": (*PAPERMILL, "prepare.ipynb", "prepared.ipynb", "-p", "folder", "made/corpus"),
    "state": (sys.executable, "-c", STATE),
    "model": (sys.executable, "-c", MODEL),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """What the commands read, and ``made`` with earlier results of all of them."""
    folder = tmp_path_factory.mktemp("starved")
    for name in ("profiles", "reports"):
        shutil.copytree(root / name, folder / name)
    for name in ("params.yaml", "dvc.yaml", "docs/verdicts.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, folder / name)
    shutil.copy(root / "notebooks" / "10_prepare.ipynb", folder / "prepare.ipynb")
    for name in ("notebooks", "figures", "made/notebooks", "made/reports", "made/run", "made/model"):
        (folder / name).mkdir(parents=True)
    notebook = new_notebook(cells=[new_markdown_cell("# A\n" + "text " * LARGE), new_code_cell("print(1)")])
    notebook.metadata["kernelspec"] = KERNEL
    nbformat.write(notebook, folder / "notebooks" / "a.ipynb")
    (folder / "figures" / "a.svg").write_text("<svg/>" * LARGE)
    for name in ("notebooks/a.ipynb", "reports/a.ipynb", "results.md", "run/state.pt", "model/config.json"):
        (folder / "made" / name).write_text("earlier")
    shutil.copy(root / "params.yaml", folder / "made")
    apply("tiny", folder / "params.yaml", folder / "profiles", {})
    prepare(load_config(folder / "params.yaml").data, folder / "made" / "corpus")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is starved, in the parent of which the commands run."""
    monkeypatch.setenv("PYTHONPATH", str(root))
    shutil.copytree(template, tmp_path / "here")
    return tmp_path / "here" / "made"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_no_room_is_a_sentence_and_earlier_results_stay(folder: Path, case: str, way: str) -> None:
    before = contents(folder)
    done = starved(way, folder, CASES[case])
    assert done.returncode == 1, done.stdout
    said = done.stderr.strip().splitlines()[-1]
    reason = f"{REASON[way]}|no space for it" if case == "state" else REASON[way]  # torch does not say what it was
    assert re.search(rf"made/.*({reason})", said), done.stderr
    assert re.search(REMEDY[way], said), said
    if case not in ("notebook", "corpus"):  # a notebook's own log comes before
        assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert contents(folder) == before
    assert all(Corpus(folder / "corpus", split).summary for split in SPLITS)


def test_with_room_again_the_pipeline_goes_on_to_the_same_bytes(copy: Copy, expected: Digests) -> None:
    before = results(copy.path)
    log = copy.path.parent / "log"
    run = copy.start(*TRAIN, log=log, preexec_fn=no_large_file)  # without DVC, whose own database has to grow
    assert run.wait(1200) != 0
    assert re.search(r"CheckpointError: cannot write .*runs/level0-.*/state\.pt: .*; free space or", log.read_text())
    assert results(copy.path) == before
    copy.run("dvc", "repro", "--force", "--single-item", "train@0")
    copy.run("dvc", "repro")
    assert results(copy.path) == expected
    assert leftovers(copy.path, copy.temporary) == []


def test_what_goes_under_a_training_does_not_change_it(copy: Copy) -> None:
    weights = copy.path / "models" / "level0" / "model.safetensors"
    expected = weights.read_bytes()
    weights.unlink()
    run = copy.start(*TRAIN, log=copy.path.parent / "log")
    assert until(lambda: list(copy.path.glob("runs/level0-*/state.pt")) or run.poll() is not None, 1200)
    for number, name in enumerate(("runs", "data/corpus", "build/executed", "params.yaml")):
        (copy.path / name).rename(copy.path.parent / str(number))
    assert run.poll() is None, "it was over before"
    assert run.wait(1200) == 0, (copy.path.parent / "log").read_text()
    assert weights.read_bytes() == expected
    assert (copy.path / "build" / "executed" / "20_train_level0.ipynb").is_file()


@pytest.mark.parametrize(
    ("notebook", "missing", "sentence"),
    [
        (
            "20_train_level",
            "data/corpus/train.bin",
            r"no whole corpus in data/corpus: .*train\.bin is missing; run prepare",
        ),
        ("30_finetune", "models/level1", r"no models/level1: train the levels first"),
        ("40_sample", "models/final/model.safetensors", r"no model\.safetensors in models/final; give the folder"),
        ("60_figures", "evaluation", "run the earlier stages first"),
    ],
)
def test_what_is_gone_before_a_notebook_is_a_sentence(copy: Copy, notebook: str, missing: str, sentence: str) -> None:
    path, log = copy.path / missing, copy.path.parent / "log"
    path.rename(copy.path.parent / "gone")
    before = results(copy.path)
    run = copy.start(*PAPERMILL, f"build/notebooks/{notebook}.ipynb", f"{copy.temporary}/out.ipynb", log=log)
    assert run.wait(1200) == 1
    assert re.search(rf"^Error: .*{notebook}\.ipynb: cell \d+ raised \w+: .*{sentence}", log.read_text(), re.MULTILINE)
    assert results(copy.path) == before
