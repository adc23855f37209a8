"""Copies of notebooks: output-free ones for the pipeline to run, executed ones for people to read."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from zonkey.files import folder_beside, write_beside
from zonkey.notebook.plain import plain, without_outputs

PARAMS = "params.yaml"
LEFT_BY_EDITORS = {".ipynb_checkpoints", ".DS_Store"}
PUBLISHED = "Written by the pipeline; read in this order."  # in the README of a published folder


def strip(notebooks: Path, out: Path) -> list[Path]:
    """Write an output-free copy of every notebook of a folder into ``out``, replacing it; returns the copies.

    With ``out`` the folder itself, its notebooks lose their outputs, and other files stay.

    Raises:
        ValueError: the folder holds no notebook, or one that cannot be read; or ``out`` holds other things than
            notebooks, which would be lost.
    """
    stripped = {path.name: _text(without_outputs(read(path))) for path in _notebooks(notebooks)}
    if out.resolve() == notebooks.resolve():
        for name, text in stripped.items():
            write_beside(out / name, text)
    else:
        _check_replaceable(out, lambda: _holds_notebooks(out))
        with folder_beside(out) as beside:
            for name, text in stripped.items():
                (beside / name).write_text(text, encoding="utf-8")
    return [out / name for name in stripped]


def publish(executed: Path, folders: Sequence[Path], params: Path, out: Path) -> list[Path]:
    """Copy executed notebooks, ``folders`` under their names and the run's parameters into ``out``, replacing it.

    ``out/README.md`` lists the notebooks by title, and the other files; ``out/params.yaml`` is a copy of ``params``.
    Returns what was written.

    Raises:
        ValueError: there is no notebook, one cannot be read or holds an error, a folder or ``params`` is missing, or
            a folder has a name that leads elsewhere; or ``out`` holds things that were not published, which would be
            lost.
    """
    if not params.is_file():
        raise ValueError(f"no file {params} to publish; name the parameters of the run with --params")
    _check_names(folders)
    for source in (executed, *folders):
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise ValueError(f"--out {out} would replace {source}, which is to be copied; name another --out")
    _check_replaceable(out, lambda: _is_published(out) or _holds_notebooks(out))
    with folder_beside(out) as beside:
        titles = {}
        for path in _notebooks(executed):
            notebook = read(path)
            _refuse_errors(notebook, path)
            (beside / path.name).write_text(_text(plain(notebook)), encoding="utf-8")
            titles[path.name] = _title(notebook, path.stem)
        for folder in folders:
            _copy(folder, beside / folder.name)
        shutil.copyfile(params, beside / PARAMS)
        files = sorted(path.relative_to(beside) for path in beside.glob("*/**/*") if path.is_file())
        lines = [f"# {out.name}", "", PUBLISHED, ""]
        alike = Counter(titles.values())  # notebooks that ran several times
        told = {name: f"{title} ({Path(name).stem})" if alike[title] > 1 else title for name, title in titles.items()}
        lines += [f"- [{title}]({name})" for name, title in told.items()]
        lines += ["", f"Made with these [parameters]({PARAMS}).", "", "Files:", ""]
        lines += [f"- [{path.as_posix()}]({path.as_posix()})" for path in files]
        (beside / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sorted(path for path in out.rglob("*") if path.is_file())


def read(path: Path) -> NotebookNode:
    """The notebook in a file, in the current format.

    Raises:
        ValueError: the file is no notebook; one sentence says why.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except RecursionError:
        raise ValueError(f"{path} is not a notebook: it is nested too deeply; save it again with Jupyter") from None
    except (nbformat.ValidationError, ValueError, AttributeError, KeyError, TypeError) as error:  # any other JSON
        reason = "its JSON is none of a notebook" if isinstance(error, AttributeError | KeyError | TypeError) else error
        said = f"{str(reason).splitlines()[0]:.200}"
        raise ValueError(f"{path} is not a notebook ({said}); save it again with Jupyter, or move it away") from None
    return notebook


def _notebooks(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.ipynb"))
    if not paths:
        raise ValueError(f"no notebook (*.ipynb) in {folder}; name the folder that holds them")
    return paths


def _check_replaceable(out: Path, made_here: Callable[[], bool]) -> None:
    """Refuse to replace what was not made by the same step: a mistyped name must not cost a folder."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ValueError(f"{out} is {'a link' if out.is_symlink() else 'a file'}; name a folder")
    if not out.exists():
        return
    inside = Path.cwd().resolve().is_relative_to(out.resolve())
    if inside:
        raise ValueError(f"{out} is the folder that this runs in, or holds it, and would be replaced; name another")
    if any(out.iterdir()) and not made_here():
        raise ValueError(f"{out} holds other files, and would be replaced; name another folder, or move them away")


def _holds_notebooks(folder: Path) -> bool:
    """And nothing else."""
    return all(path.suffix == ".ipynb" or path.name in LEFT_BY_EDITORS for path in folder.iterdir())


def _is_published(folder: Path) -> bool:
    readme = folder / "README.md"
    return readme.is_file() and PUBLISHED in readme.read_text(encoding="utf-8", errors="replace").splitlines()


def _check_names(folders: Sequence[Path]) -> None:
    """Folders are copied under their last names, which have to be names, and differ from one another."""
    taken = {"README.md", PARAMS}
    for folder in folders:
        if folder.name in ("", ".."):
            raise ValueError(f"{folder} has no name to be copied under; write it as ../NAME")
        if folder.name in taken:
            raise ValueError(f"{folder} would be copied as {folder.name}, which is taken; rename the folder")
        taken.add(folder.name)


def _copy(folder: Path, to: Path) -> None:
    """Copy a folder, without hidden files; links are followed (DVC may make them), broken ones refused."""
    if not folder.is_dir():
        raise ValueError(f"no folder {folder} to publish; correct its name, or run the pipeline (`make repro`) first")
    for path in folder.rglob("[!.]*"):
        if path.is_symlink() and path.is_dir():
            raise ValueError(f"{path} is a link to a folder, which is not published; remove it")
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{path} is a link that leads nowhere; remove it, or run the pipeline again")
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns(".*"))


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
