"""What every notebook keeps to: short, in order, no logic of its own, no outputs in the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from zonkey.results import load_page

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    *("00_tour", "10_prepare", "20_train_level", "30_finetune", "35_flow", "40_sample", "50_evaluate", "60_figures"),
    *("70_baseline", "71_segmentation", "72_reconstruction", "73_generation", "74_infilling", "75_robustness"),
    *("76_adaptation", "77_again", "78_ablation", "79_results"),
)
MAGICS = {"matplotlib", "config"}  # nbval passes a cell whose magic it does not know
LINES, CELLS, FUNCTION = 15, 40, 5


def cells(name: str, kind: str = "code") -> list[nbformat.NotebookNode]:
    path = ROOT / "notebooks" / f"{name}.ipynb"
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def code(cell: nbformat.NotebookNode) -> ast.Module:
    lines = cell.source.splitlines()
    return ast.parse("\n".join(line for line in lines if not line.lstrip().startswith(("%", "!"))))


def test_the_results_draw_every_ablation() -> None:
    parameters = next(cell for cell in cells("79_results") if "parameters" in cell.metadata.get("tags", []))
    drawn = next(ast.literal_eval(node.value) for node in code(parameters).body if node.targets[0].id == "ablations")
    profile = YAML(typ="safe").load(ROOT / "profiles" / "default.yaml")
    names = sorted(name for group in drawn.values() for name in group)
    assert names == sorted(set(profile["ablations"]["variants"]) - {"reference"})
    table = next(one for section in load_page().sections for one in section.tables if one.runs == "ablation_*")
    assert set(table.figures) == {f"results/ablation_{name}" for name in drawn}


def test_the_expected_notebooks_are_there() -> None:
    assert tuple(sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestNotebook:
    """One source notebook."""

    def test_is_stored_without_outputs(self, name: str) -> None:
        for cell in cells(name):
            assert not cell.outputs and cell.execution_count is None, "run `make strip`"

    def test_is_valid_and_short(self, name: str) -> None:
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert len(notebook.cells) <= CELLS
        for cell in cells(name):
            lines = [line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            assert 0 < len(lines) <= LINES, cell.source

    def test_holds_no_logic(self, name: str) -> None:
        for cell in cells(name):
            for node in ast.walk(code(cell)):
                assert not isinstance(node, ast.ClassDef), "a class belongs in the package"
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert node.end_lineno - node.lineno < FUNCTION, f"{node.name} belongs in the package"

    def test_begins_with_a_title(self, name: str) -> None:
        first = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells[0]
        assert first.cell_type == "markdown" and re.match(r"# \S.*\n", first.source)

    def test_has_one_parameters_cell_of_literals(self, name: str) -> None:
        tagged = [cell for cell in cells(name) if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        body = code(tagged[0]).body
        assert body
        for node in body:
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            ast.literal_eval(node.value)

    def test_uses_only_known_magics(self, name: str) -> None:
        for cell in cells(name):
            for line in cell.source.splitlines():
                assert not line.lstrip().startswith("!"), "a cell swallows the exit status of a command"
                magic = re.match(r"\s*%+(\w+)", line)
                assert magic is None or magic.group(1) in MAGICS

    def test_hides_no_result_with_a_semicolon(self, name: str) -> None:
        for cell in cells(name):
            assert not cell.source.rstrip().endswith(";"), "nbval shows what it hides: assign it to _"

    def test_asserts_something(self, name: str) -> None:
        assert any(isinstance(node, ast.Assert) for cell in cells(name) for node in ast.walk(code(cell)))
