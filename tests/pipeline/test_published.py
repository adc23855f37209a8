"""The published notebooks are those of today: their code is that in ``notebooks/``, and what needs no training runs
again to the same outputs.

Figures are not compared: processors round differently, and whoever runs this did not draw them.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.pipeline.nbval import nbval
from tests.repository import ROOT, Copy

REPORTS = ROOT / "reports"
PUBLISHED = sorted(
    path for name in ("default", "suites/default", "wikipedia-cpu") for path in (REPORTS / name).glob("*.ipynb")
)
INJECTED = "# Parameters\n"  # how papermill begins the cell that it adds
BEHIND: set[str] = set()  # published notebooks of runs before the code was changed; the next publication empties it
STRICT = ("default/00_tour", "default/10_prepare", "suites/default/79_results")  # no outputs come from training


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The repository at the default profile, with the published metrics as if they had just been measured."""
    copy = Copy.make(tmp_path_factory.mktemp("published") / "copy")
    copy.run("zonkey", "profile", "default")
    shutil.copytree(copy.path / "reports" / "suites" / "default" / "metrics", copy.path / "suites" / "metrics")
    return copy


def test_there_are_published_notebooks() -> None:
    assert {f"{path.relative_to(REPORTS).with_suffix('')}" for path in PUBLISHED} > set(STRICT)


def source_of(published: Path) -> Path:
    """What it is a run of: a notebook that runs several times gives every run a name that begins with its own."""
    known = (ROOT / "notebooks").glob("*.ipynb")
    sources = [path for path in known if re.fullmatch(rf"{path.stem}(\d+|_\w+)?", published.stem)]
    assert len(sources) == 1, f"{published.name} is a run of no notebook of today; publish again"
    return sources[0]


def unless_behind(name: str) -> Any:
    """Expected to fail, and strictly: whoever publishes has to shorten the list above."""
    mark = pytest.mark.xfail(strict=True, raises=AssertionError, reason="published before the code was changed")
    return pytest.param(name, marks=mark if Path(name).name in BEHIND else ())


def test_no_more_is_behind_than_is_published() -> None:
    assert {path.stem for path in PUBLISHED} >= BEHIND


@pytest.mark.parametrize("name", [unless_behind(f"{path.relative_to(REPORTS).with_suffix('')}") for path in PUBLISHED])
def test_its_code_and_text_are_those_of_the_source(name: str) -> None:
    path = REPORTS / f"{name}.ipynb"
    published, current = (nbformat.read(name, as_version=4).cells for name in (path, source_of(path)))
    published = [cell for cell in published if not cell.source.startswith(INJECTED)]
    assert [cell.source for cell in published] == [cell.source for cell in current], "run the pipeline, and publish"
    assert all(cell.execution_count for cell in published if cell.cell_type == "code"), "it was not run to its end"


@pytest.mark.parametrize("name", STRICT)
def test_outputs_that_do_not_come_from_training_are_the_stored_ones(published: Copy, name: str) -> None:
    if Path(name).name in BEHIND:
        pytest.skip("its code is not today's")
    published.run(*nbval("--nbval", f"reports/{name}.ipynb"))
