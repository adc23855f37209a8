"""Output-free copies, published copies, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from zonkey.cli import main
from zonkey.files import folder_beside, write_beside
from zonkey.notebook import at_root
from zonkey.notebook.copies import publish, strip


def write(path: Path, title: str = "A title", error: bool = False) -> Path:
    outputs = [new_output("stream", text="seen\n")]
    outputs += [new_output("error", ename="KeyError", evalue="'x'", traceback=[])] if error else []
    cell = new_code_cell("print('seen')", outputs=outputs, execution_count=7)
    cell.metadata = {
        "tags": ["parameters"],
        "execution": {"iopub.execute_input": "2026-01-01"},
        "scrolled": True,
    }
    notebook = new_notebook(cells=[new_markdown_cell(f"# {title}\n\nText."), cell])
    notebook.metadata = {"language_info": {"name": "python", "version": "3.11.9"}, "widgets": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_strip_keeps_text_code_and_tags(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.ipynb")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "gone.ipynb").write_text("of a notebook that was removed")
    assert strip(tmp_path / "in", tmp_path / "out") == [tmp_path / "out" / "a.ipynb"]
    notebook = nbformat.read(tmp_path / "out" / "a.ipynb", as_version=4)
    nbformat.validate(notebook)
    text, code = notebook.cells
    assert (text.source, code.source) == ("# A title\n\nText.", "print('seen')")
    assert (code.outputs, code.execution_count, code.metadata) == ([], None, {"tags": ["parameters"]})
    assert "version" not in notebook.metadata.language_info


def test_strip_gives_the_same_bytes_however_the_notebook_was_saved(tmp_path: Path) -> None:
    for name in ("one", "two"):  # other random ids each time
        write(tmp_path / name / "a.ipynb")
        strip(tmp_path / name, tmp_path / f"{name}.out")
    strip(tmp_path / "one.out", tmp_path / "again")
    assert tree(tmp_path / "one.out") == tree(tmp_path / "two.out") == tree(tmp_path / "again")


def test_strip_in_place(tmp_path: Path) -> None:
    write(tmp_path / "notebooks" / "a.ipynb")
    (tmp_path / "notebooks" / "other").write_text("stays")
    strip(tmp_path / "notebooks", tmp_path / "notebooks" / ".." / "notebooks")
    assert set(tree(tmp_path / "notebooks")) == {"a.ipynb", "other"}
    assert b"seen\\n" not in (tmp_path / "notebooks" / "a.ipynb").read_bytes()


@pytest.mark.parametrize("content", [None, "not a notebook", '{"cells": [}'])
def test_strip_refuses_what_is_no_notebook_and_loses_nothing(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "in").mkdir()
    if content is not None:
        write(tmp_path / "in" / "a.ipynb")
        (tmp_path / "in" / "b.ipynb").write_text(content)
    write(tmp_path / "out" / "old.ipynb")
    with pytest.raises(ValueError, match=r"no notebook \(\*.ipynb\) in|b.ipynb is not a notebook"):
        strip(tmp_path / "in", tmp_path / "out")
    assert list(tree(tmp_path)) and (tmp_path / "out" / "old.ipynb").exists()
    assert not list(tmp_path.glob(".out*"))


def test_publish_copies_notebooks_and_folders_with_an_index(tmp_path: Path) -> None:
    write(tmp_path / "run" / "10_b.ipynb", "Second")
    write(tmp_path / "run" / "00_a.ipynb", "First")
    (tmp_path / "figures" / "deep").mkdir(parents=True)
    (tmp_path / "figures" / "deep" / "x.svg").write_text("<svg/>")
    (tmp_path / "figures" / ".hidden").write_text("")
    params = tmp_path / "own.yaml"
    params.write_text("seed: 0  # as it stands\n")
    out = tmp_path / "reports" / "small"
    write(out / "99_gone.ipynb")
    for _ in range(2):
        publish(tmp_path / "run", [tmp_path / "figures"], params, out)
        assert set(tree(out)) == {"00_a.ipynb", "10_b.ipynb", "figures/deep/x.svg", "params.yaml", "README.md"}
    assert (out / "params.yaml").read_bytes() == params.read_bytes()
    index = (out / "README.md").read_text(encoding="utf-8")
    assert index.index("[First](00_a.ipynb)") < index.index("[Second](10_b.ipynb)")
    assert "(figures/deep/x.svg)" in index and "(params.yaml)" in index
    assert b"seen" in (out / "00_a.ipynb").read_bytes() and b"2026" not in (out / "00_a.ipynb").read_bytes()


def test_runs_of_one_notebook_are_told_apart(tmp_path: Path) -> None:
    for name, title in (("70_a_x", "Again"), ("70_a_y", "Again"), ("80_b", "Once")):
        write(tmp_path / "run" / f"{name}.ipynb", title)
    (tmp_path / "own.yaml").write_text("seed: 0\n")
    publish(tmp_path / "run", [], tmp_path / "own.yaml", tmp_path / "out")
    lines = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").splitlines()
    assert {"- [Again (70_a_x)](70_a_x.ipynb)", "- [Again (70_a_y)](70_a_y.ipynb)", "- [Once](80_b.ipynb)"} <= set(
        lines
    )


@pytest.mark.parametrize(
    ("error", "folder", "params", "says"),
    [
        (True, ".", "own.yaml", r"holds an error \(KeyError: 'x'\)"),
        (False, "missing", "own.yaml", "no folder .*missing to publish"),
        (False, ".", "other.yaml", "no file .*other.yaml to publish"),
    ],
)
def test_publish_refuses_errors_and_what_is_missing(
    tmp_path: Path, error: bool, folder: str, params: str, says: str
) -> None:
    write(tmp_path / "run" / "a.ipynb", error=error)
    write(tmp_path / "out" / "old.ipynb")
    (tmp_path / "own.yaml").touch()
    with pytest.raises(ValueError, match=says):
        publish(tmp_path / "run", [tmp_path / "run" / folder], tmp_path / params, tmp_path / "out")
    assert list(tree(tmp_path / "out")) == ["old.ipynb"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_beside(path, "whole")
    with pytest.raises(UnicodeEncodeError):
        write_beside(path, "new \ud800")
    with pytest.raises(KeyError), folder_beside(tmp_path / "deep"):
        raise KeyError
    assert tree(tmp_path) == {"deep/file": b"whole"}


def test_at_root_finds_the_parameters_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those beside a published notebook, which are of a run that is over."""
    for folder in ("notebooks", "reports"):
        (tmp_path / folder).mkdir()
    for name in ("dvc.yaml", "params.yaml", "reports/params.yaml"):
        (tmp_path / name).touch()
    for folder in ("notebooks", "reports"):
        monkeypatch.chdir(tmp_path / folder)
        assert at_root() == Path.cwd() == tmp_path
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).rename(tmp_path / "away")
        monkeypatch.chdir(tmp_path / "reports")
        with pytest.raises(FileNotFoundError, match=r"no params\.yaml beside a dvc\.yaml in"):
            at_root()
        (tmp_path / "away").rename(tmp_path / name)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "notebooks" / "a.ipynb")
    assert main(["notebooks", "strip"]) == 0
    assert main(["notebooks", "run", "build/notebooks/a.ipynb", "build/executed/a.ipynb"]) == 0
    assert main(["notebooks", "publish", "build/executed", "--out", "reports/x"]) == 2
    assert "no file params.yaml to publish" in capsys.readouterr().err and not (tmp_path / "reports").exists()
    for name in ("params.yaml", "other.yaml"):
        (tmp_path / name).write_text(f"seed: 1  # {name}\n")
    for options, name in (([], "params.yaml"), (["--params", "other.yaml"], "other.yaml")):
        assert main(["notebooks", "publish", "build/executed", *options, "--out", "reports/x"]) == 0
        assert set(tree(tmp_path / "reports")) == {"x/a.ipynb", "x/params.yaml", "x/README.md"}
        assert (tmp_path / "reports/x/params.yaml").read_text() == f"seed: 1  # {name}\n"
    assert main(["notebooks", "run", "missing.ipynb", "out.ipynb"]) == 2
    assert "no file missing.ipynb" in capsys.readouterr().err
    assert main(["notebooks", "run", "notebooks/a.ipynb", "out.ipynb", "-p", "levle=1"]) == 1
    assert "has no parameter 'levle'" in capsys.readouterr().err.splitlines()[-1]
    assert main(["notebooks", "run", "notebooks/a.ipynb", "out.ipynb", "-p", "level"]) == 2
