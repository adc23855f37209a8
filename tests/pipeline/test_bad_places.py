"""Folders and files that commands write: nothing is replaced that they did not make, and no name leads elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.pipeline.refusals import refused
from tests.pipeline.test_copies import tree, write
from zonkey.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with notebooks, and with a folder of somebody's own."""
    place = tmp_path / "work" / "here"
    write(place / "notebooks" / "a.ipynb")
    (place / "params.yaml").write_text("seed: 0\n")
    (place / "mine").mkdir()
    (place / "mine" / "thesis.tex").write_text("years of work")
    (tmp_path / "work" / "beside").write_text("also mine")
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize("out", ["mine", ".", "..", "../..", "mine/../mine", "link", "mine/thesis.tex"])
@pytest.mark.parametrize("step", [["strip", "notebooks"], ["publish", "notebooks", "--out"]], ids=lambda step: step[0])
def test_folders_of_others_are_not_replaced(
    here: Path, step: list[str], out: str, capsys: pytest.CaptureFixture
) -> None:
    (here / "link").symlink_to("mine")
    before = tree(here.parents[1])
    fix = "; name a folder" if out in ("link", "mine/thesis.tex") else "; name another"
    refused(capsys, ["notebooks", *step, out], out, fix)
    assert tree(here.parents[1]) == before


def test_what_was_made_before_is_replaced(here: Path) -> None:
    """Notebooks by notebooks, a published folder by another, whatever editors left there."""
    for _ in range(2):
        assert main(["notebooks", "strip", "notebooks", "out"]) == 0
        assert main(["notebooks", "publish", "notebooks", "mine", "--out", "reports"]) == 0
        (here / "out" / ".ipynb_checkpoints").mkdir()
    assert set(tree(here / "reports")) == {"README.md", "a.ipynb", "mine/thesis.tex", "params.yaml"}


def test_sources_are_not_replaced_by_their_copies(here: Path, capsys: pytest.CaptureFixture) -> None:
    before = tree(here)
    for sources, out in ((["notebooks"], "notebooks"), (["notebooks", "mine"], "mine"), (["notebooks"], "../here")):
        refused(
            capsys, ["notebooks", "publish", *sources, "--out", out], f"--out {out} would replace", "name another --out"
        )
    assert tree(here) == before


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        ([".."], (".. has no name", "write it as ../NAME")),
        (["."], (". has no name",)),
        (["mine/.."], ("mine/.. has no name",)),
        (["mine", "other/mine"], ("other/mine would be copied as mine, which is taken", "rename the folder")),
        (["README.md"], ("copied as README.md, which is taken",)),
        (["other/params.yaml"], ("copied as params.yaml, which is taken",)),
        (["mine/thesis.tex"], ("no folder mine/thesis.tex",)),
        (["nowhere"], ("no folder nowhere",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_published_folders_have_names(
    here: Path, folders: list[str], says: tuple[str, ...], capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree("mine", "other/mine")
    (here / "README.md").mkdir()
    before = tree(here.parents[1])
    refused(capsys, ["notebooks", "publish", "notebooks", *folders, "--out", "reports"], *says)
    assert tree(here.parents[1]) == before and not list(here.glob(".*"))


def test_links_to_folders_are_not_published(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["notebooks", "publish", "notebooks", "mine", "--out", "reports"]
    for target, says in (
        (tmp_path, "a link to a folder"),
        (Path("circle"), "leads nowhere"),
        (Path("x"), "leads nowhere"),
    ):
        link = here / "mine" / "circle"
        link.symlink_to(target)
        refused(capsys, command, "mine/circle", says, "remove it")
        link.unlink()
    (here / "cached").write_text("a metric")
    (here / "mine" / "metric.json").symlink_to(here / "cached")  # as DVC may keep files
    assert main(command) == 0
    assert not (here / "reports" / "mine" / "metric.json").is_symlink()
    assert (here / "reports" / "mine" / "metric.json").read_text() == "a metric"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not appear to be JSON"),
        (b"\xff", "can't decode byte 0xff"),
        (b"[]", "is not a notebook"),
        (b"{}", "is not a notebook"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"nbformat": 99, "cells": []}', "99"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "odd"}]}', "is not a notebook"),
    ],
    ids=["empty", "bytes", "a list", "nothing inside", "nested", "another version", "odd cells"],
)
def test_files_that_are_no_notebooks(here: Path, content: bytes, says: str, capsys: pytest.CaptureFixture) -> None:
    bad = here / "bad" / "b.ipynb"
    bad.parent.mkdir()
    bad.write_bytes(content)
    write(here / "out" / "old.ipynb")
    before = tree(here)
    for step in (["strip", "bad", "out"], ["publish", "bad", "--out", "out"], ["run", "bad/b.ipynb", "new.ipynb"]):
        refused(capsys, ["notebooks", *step], "bad/b.ipynb is not a notebook", says)
    assert tree(here) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "none.ipynb", "out.ipynb"], "no file none.ipynb; name a notebook"),
        (["run", "notebooks", "out.ipynb"], "no file notebooks; name a notebook"),
        (["run", "https://example.org/a.ipynb", "out.ipynb"], "no file https:/example.org/a.ipynb"),
        (["run", "notebooks/a.ipynb", "notebooks/a.ipynb"], "is the notebook itself"),
        (["run", "notebooks/a.ipynb", "notebooks/../notebooks/a.ipynb"], "is the notebook itself"),
        (["run", "notebooks/a.ipynb", "params.yaml"], "params.yaml does not end with .ipynb"),
        (["run", "notebooks/a.ipynb", "mine"], "OUT mine is a folder; name a file"),
        (["run", "notebooks/a.ipynb", "mine/thesis.tex/out.ipynb"], "mine/thesis.tex"),
        (["run", "notebooks/a.ipynb", "out.ipynb", "-p", "level"], "'level' gives no value; write NAME=VALUE"),
        (["run", "notebooks/a.ipynb", "out.ipynb", "-p", "level=["], "the value of 'level=[' is not valid YAML"),
        (["run", "notebooks/a.ipynb", "out.ipynb", "-p", "level=3"], "has no parameter 'level'"),
        (["strip", "none"], "no notebook (*.ipynb) in none"),
        (["publish", "mine", "--out", "reports"], "no notebook (*.ipynb) in mine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_notebooks_that_cannot_be_run_or_written(
    here: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture
) -> None:
    before = tree(here)
    refused(capsys, ["notebooks", *arguments], says)
    assert tree(here) == before


@pytest.mark.parametrize("name", ["..", "../..", "/etc", "a/b", "", "."])
def test_a_published_run_is_a_name_and_no_path(here: Path, name: str, capsys: pytest.CaptureFixture) -> None:
    shutil.copytree("mine", "metrics")  # what reports/.. would find
    (here / "reports").mkdir()
    refused(capsys, ["compare", "--profile", name, "--yours", "mine"], "--profile", repr(name), "no plain name")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["results", "--out", "mine"], "--out mine is a folder; name a file"),
        (["results", "--out", "/"], "--out / is a folder; name a file"),
        (["results", "--verdicts", "none.yaml"], "no file none.yaml; name another --verdicts"),
        (["results", "--reports", "none"], "no folder --reports none; publish a run"),
        (["compare", "--reports", "none"], "no folder none/default/metrics; name a published profile"),
        (["compare", "--reports", "reports", "--yours", "none", "gone"], "no folder none or gone; run `dvc repro`"),
        (["speed", "--out", "mine"], "--out mine is a folder; name a file"),
        (["profile", "tiny", "--profiles", "none"], "none/ holds none"),
        (["profile", "--params", "mine"], "cannot read mine: Is a directory; name a parameter file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_places_that_are_not_there_or_no_files(
    here: Path, root: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(root / "profiles", "profiles")
    (here / "reports" / "default" / "metrics").mkdir(parents=True)
    before = tree(here)
    refused(capsys, arguments, says)
    assert tree(here) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_must_not_be_written_is_said(here: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.copytree(here / "notebooks", here / "closed" / "in")
    (here / "closed").chmod(0o500)
    refused(capsys, ["notebooks", "strip", "notebooks", "closed/out"], "closed", "Permission denied", "permissions")
