"""Copies of notebooks: output-free ones for the pipeline to run, executed ones for people to read."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from zonkey.files import folder_beside, write_beside
from zonkey.notebook.plain import plain, without_outputs

PARAMS = "params.yaml"


def strip(notebooks: Path, out: Path) -> list[Path]:
    """Write an output-free copy of every notebook of a folder into ``out``, replacing it; returns the copies.

    With ``out`` the folder itself, its notebooks lose their outputs, and other files stay.

    Raises:
        ValueError: the folder holds no notebook, or one that cannot be read.
    """
    stripped = {path.name: _text(without_outputs(_read(path))) for path in _notebooks(notebooks)}
    if out.resolve() == notebooks.resolve():
        for name, text in stripped.items():
            write_beside(out / name, text)
    else:
        with folder_beside(out) as beside:
            for name, text in stripped.items():
                (beside / name).write_text(text, encoding="utf-8")
    return [out / name for name in stripped]


def publish(executed: Path, folders: Sequence[Path], params: Path, out: Path) -> list[Path]:
    """Copy executed notebooks, ``folders`` under their names and the run's parameters into ``out``, replacing it.

    ``out/README.md`` lists the notebooks by title, and the other files; ``out/params.yaml`` is a copy of ``params``.
    Returns what was written.

    Raises:
        ValueError: there is no notebook, one cannot be read or holds an error, or a folder or ``params`` is missing.
    """
    if not params.is_file():
        raise ValueError(f"no file {params} to publish; name the parameters of the run with --params")
    with folder_beside(out) as beside:
        titles = {}
        for path in _notebooks(executed):
            notebook = _read(path)
            _refuse_errors(notebook, path)
            (beside / path.name).write_text(_text(plain(notebook)), encoding="utf-8")
            titles[path.name] = _title(notebook, path.stem)
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"no folder {folder} to publish; run the pipeline (`make repro`) first")
            shutil.copytree(folder, beside / folder.name, ignore=shutil.ignore_patterns(".*"))
        shutil.copyfile(params, beside / PARAMS)
        files = sorted(path.relative_to(beside) for path in beside.glob("*/**/*") if path.is_file())
        lines = [f"# {out.name}", "", "Written by the pipeline; read in this order.", ""]
        lines += [f"- [{title}]({name})" for name, title in titles.items()]
        lines += ["", f"Made with these [parameters]({PARAMS}).", "", "Files:", ""]
        lines += [f"- [{path.as_posix()}]({path.as_posix()})" for path in files]
        (beside / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sorted(path for path in out.rglob("*") if path.is_file())


def _notebooks(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        raise ValueError(f"no notebook (*.ipynb) in {folder}; name the folder that holds them")
    return paths


def _read(path: Path) -> NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a notebook: {str(error).splitlines()[0]}") from None


def _text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def _refuse_errors(notebook: NotebookNode, path: Path) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise ValueError(f"{path} holds an error ({output.ename}: {output.evalue}); run it again")


def _title(notebook: NotebookNode, otherwise: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0].removeprefix("# ").strip()
    return otherwise
