"""A notebook whose stored outputs are not what its code gives fails, and so does all that nbval would overlook."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.pipeline.nbval import nbval
from zonkey.notebook.plain import KERNEL
from zonkey.notebook.run import run

MINUTE = 60
FIGURE = "%matplotlib inline\nfrom matplotlib import pyplot as plt\n_ = plt.plot([1, {}])\nplt.show()"


def executed(folder: Path, *sources: str) -> nbformat.NotebookNode:
    """A notebook that has run."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = KERNEL
    nbformat.write(notebook, folder / "source.ipynb")
    run(folder / "source.ipynb", folder / "executed.ipynb", {})
    return nbformat.read(folder / "executed.ipynb", as_version=4)


def failures(notebook: nbformat.NotebookNode, folder: Path, root: Path, *options: str) -> dict[int, str]:
    """What nbval says of each cell that fails."""
    nbformat.write(notebook, folder / "executed.ipynb")
    report = folder / "report.xml"
    done = subprocess.run(
        nbval(*options, f"--junit-xml={report}", str(folder / "executed.ipynb")),
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == len(notebook.cells), done.stdout
    found = {at: "".join(case.itertext()) for at, case in enumerate(cases) if list(case)}
    assert done.returncode == bool(found)
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory, root: Path) -> float:
    """Seconds that a notebook takes in which nothing goes wrong."""
    folder = tmp_path_factory.mktemp("nbval")
    cells = ("import sys\nprint('not kept', file=sys.stderr)", "print(1)", "2", FIGURE.format(2))
    notebook = executed(folder, *cells)
    began = time.monotonic()
    assert failures(notebook, folder, root, "--nbval", "--nbval-figures") == {}
    return time.monotonic() - began


def test_stale_outputs_fail(tmp_path: Path, root: Path) -> None:
    notebook = executed(tmp_path, "print(1)", "print(1)", "print(1)", "x = 1", "'a'", FIGURE.format(2))
    cells = notebook.cells
    assert "image/png" in cells[5].outputs[0].data
    cells[1].outputs = [new_output("stream", text="2\n")]
    cells[2].outputs = []
    cells[3].outputs = [new_output("stream", text="1\n")]
    cells[4].outputs = [new_output("execute_result", {"text/plain": "'b'"}, execution_count=5)]
    cells[5].source = FIGURE.format(3)
    found = failures(notebook, tmp_path, root, "--nbval", "--nbval-figures")
    assert list(found) == [1, 2, 3, 4, 5]
    assert all("Cell outputs differ" in said for said in found.values())
    assert "image/png" in found[5]


@pytest.mark.parametrize("mode", ["--nbval", "--nbval-lax"])
def test_what_goes_wrong_fails_within_a_minute(tmp_path: Path, root: Path, usual: float, mode: str) -> None:
    notebook = executed(tmp_path, *["pass"] * 5)
    wrong = {
        1: ("%nosuchmagic 1", "Line magic function `%nosuchmagic` not found"),
        2: ("assert 1 == 2, 'one is not two'", "one is not two"),
        3: ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        4: ("pass", "Kernel dead on test start"),
    }
    for at, (source, _) in wrong.items():
        notebook.cells[at].source = source
    began = time.monotonic()
    found = failures(notebook, tmp_path, root, mode)
    assert list(found) == list(wrong)
    assert all(sentence in found[at] for at, (_, sentence) in wrong.items()), found
    assert time.monotonic() - began < MINUTE + 3 * usual
