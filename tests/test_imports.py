"""Imports go downwards only: the table of layers, read against what the modules import."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.imports import PACKAGE, graph, imported, modules

LAYERS = (
    ("config", "files", "runtime", "sphere", "existence", "text", "pretrained", "variants"),
    ("attention",),
    ("transformer",),
    ("splitter", "predictor", "compressor", "denoiser", "flow", "stitcher", "losses", "phases"),
    ("level",),
    ("model",),
    ("data", "checkpoint"),
    ("fit",),
    ("train", "generate", "evaluate", "baselines"),
    ("plots", "notebook", "results", "cli"),
)
STRANGERS = 3  # the layer whose modules do not import one another
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
DISTRIBUTION = {"ruamel": "ruamel.yaml"}  # where it is not named like the module


def test_every_module_has_a_layer(root: Path) -> None:
    unknown = set(modules(root)) - set(LAYER)
    assert not unknown, f"give {sorted(unknown)} a place in LAYERS and in the design"


def test_imports_go_downwards(root: Path) -> None:
    wrong = [
        f"{name} (layer {LAYER[name]}) imports {other} (layer {LAYER[other]})"
        for name, used in graph(root).items()
        for other in used & set(LAYER)
        if LAYER[other] > LAYER[name] or LAYER[other] == LAYER[name] == STRANGERS
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_import_each_other(root: Path) -> None:
    edges = graph(root)
    reach = {name: set(used) for name, used in edges.items()}
    for _ in edges:
        for used in reach.values():
            used.update(*(reach.get(other, set()) for other in list(used)))
    assert not [name for name, used in reach.items() if name in used]


def test_imported_packages_are_declared(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_name(requirement) for requirement in project["dependencies"]}
    used = {
        module.split(".")[0]
        for paths in modules(root).values()
        for path in paths
        for module, _ in imported(path.read_text(encoding="utf-8"), "")
    }
    foreign = {name for name in used if name not in sys.stdlib_module_names and name != PACKAGE and name}
    missing = {name for name in foreign if _name(DISTRIBUTION.get(name, name)) not in declared}
    assert not missing, f"pyproject.toml lacks {sorted(missing)}"


@pytest.mark.parametrize("statement", ["import zonkey", "import zonkey.cli", "import zonkey.notebook"])
def test_torch_is_imported_only_when_needed(statement: str, root: Path) -> None:
    code = f"{statement}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0


@pytest.mark.parametrize("before", ["pass", "import zonkey.generate", "from zonkey.generate import infill"])
def test_the_package_offers_functions_and_not_modules(before: str, root: Path) -> None:
    code = f"{before}; import zonkey, types; values = [getattr(zonkey, name) for name in zonkey.__all__]"
    code += "; assert not [value for value in values if isinstance(value, types.ModuleType)]"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60).returncode == 0


def _name(requirement: str) -> str:
    return requirement.partition(";")[0].split("[")[0].strip("<>=~! ,.0123456789").lower().replace("_", "-")
