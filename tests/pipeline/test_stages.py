"""``dvc.yaml`` is complete about modules, parameters and outputs; the lock and the Makefile about theirs."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.imports import files_needed
from tests.pipeline.stages import Stage, read

STAGES = read()
RUNS = [stage for stage in STAGES if stage.notebook]
# Read by every stage, by the suites alone, or changing nothing that is computed.
MADE = "data|models|metrics|history|evaluation|samples|figures"
FREE = ("profile", "pipeline", "train.checkpoint_every", "baselines", "suites")


def stage_id(stage: Stage) -> str:
    return stage.name


def test_the_stages_in_order() -> None:
    names = ["notebooks", "tour", "prepare", "train", "finetune", "sample", "evaluate", "figures", "publish"]
    assert [stage.name for stage in STAGES] == names


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_a_stage_depends_on_the_modules_it_uses(stage: Stage, root: Path) -> None:
    assert (root / stage.notebook).is_file(), f"{stage.notebook} is missing"
    used = [path for path in stage.modules if path != "zonkey/data/__init__.py"]
    assert used == files_needed(root / stage.notebook, root), "run `make deps`"


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_a_stage_depends_on_the_copy_of_its_notebook(stage: Stage) -> None:
    copy = f"build/notebooks/{Path(stage.notebook).name}"
    assert stage.paths("deps")[0] == copy
    assert f"--engine zonkey {copy} build/executed/" in stage.body["cmd"]
    assert stage.paths("outs")[0] in stage.body["cmd"]


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_the_files_a_notebook_names_are_declared(stage: Stage, root: Path) -> None:
    source = (root / stage.notebook).read_text(encoding="utf-8")
    named = set(re.findall(rf"\b(?:{MADE})/[\w/{{}}.-]*[\w}}]", source))
    declared = [re.sub(r"\$\{.*?\}", "", path) for path in stage.paths("deps", "outs", "metrics", "plots")]
    roots = [path.removesuffix(".json") for path in declared if path]
    roots += ["models/level"] if stage.name == "finetune" else []
    loose = {name for name in named if not any(name.startswith(path) for path in roots)}
    assert not loose, f"{stage.notebook} names files that stage {stage.name} does not declare"


def test_every_parameter_has_a_stage(root: Path) -> None:
    parameters = set(_leaves(YAML(typ="safe").load(root / "params.yaml")))
    watched = [path.replace("${key}", "*") for stage in STAGES for path in stage.body.get("params", [])]
    loose = [name for name in parameters if not name.startswith(FREE) and not _covered(name, watched)]
    assert not loose, f"no stage depends on {sorted(loose)}"
    dead = [path for path in watched if not any(_covered(name, [path]) for name in parameters)]
    assert not dead, f"dvc.yaml names parameters that there are not: {dead}"


def test_only_published_copies_are_outside_the_cache() -> None:
    for stage in STAGES:
        for entry in [
            *stage.body.get("outs", []),
            *stage.body.get("metrics", []),
            *stage.body.get("plots", []),
        ]:
            options = {} if isinstance(entry, str) else next(iter(entry.values()))
            assert options.get("cache", True) or stage.name == "publish"
            assert "persist" not in options


def test_git_ignores_what_the_pipeline_makes(root: Path) -> None:
    made = [path.replace("${key}", "0") for stage in STAGES for path in stage.paths("outs", "metrics", "plots")]
    patterns = [line.strip("/") for line in (root / ".gitignore").read_text().splitlines()]
    for path in made:
        assert (path.split("/")[0] in patterns) != path.startswith("reports/")


def test_the_lock_pins_what_the_project_needs(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (root / "requirements.lock").read_text(encoding="utf-8")
    pinned = {_name(pin) for pin in re.findall(r"(?m)^([\w.-]+)==[\w.]+$", pins)}
    needed = [*project["dependencies"], "setuptools"]
    needed += [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    assert {_name(re.match(r"[\w.-]+", requirement).group()) for requirement in needed} <= pinned
    assert not re.search(r"(?m)^(?!#).*(://|--|\+)", pins), "the lock names versions, not places"


def test_make_lists_its_targets(root: Path) -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    targets = re.search(r"(?m)^\.PHONY: (.*)$", (root / "Makefile").read_text()).group(1).split()
    assert [line.split()[1] for line in listed.splitlines()] == targets


def _leaves(value: object, prefix: str = "") -> Iterator[str]:
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        yield prefix
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))


def _covered(name: str, watched: list[str]) -> bool:
    patterns = (re.escape(path).replace(r"\*", r"\d+") for path in watched)
    return any(re.match(rf"{pattern}(\.|$)", name) for pattern in patterns)


def _name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
