"""Both ``dvc.yaml`` are complete about modules, parameters and outputs; the lock and the Makefile about theirs."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.imports import files_needed
from tests.pipeline.stages import PIPELINE, SUITES, Stage, read

MAIN, HEAVY = read(PIPELINE), read(SUITES)
STAGES = [*MAIN, *HEAVY]
RUNS = [stage for stage in STAGES if stage.notebook]
# Read by every stage, a template's own list, or changing nothing that is computed.
MADE = "(?:suites/)?(?:data|models|metrics|history|evaluation|samples|figures)"
FREE = ("profile", "pipeline", "seeds", "train.checkpoint_every")
SUITE_NAMES = ["baseline", "segmentation", "reconstruction", "generation", "infilling", "robustness", "adaptation"]


def stage_id(stage: Stage) -> str:
    return f"suites-{stage.name}" if stage in HEAVY else stage.name


def test_the_stages_in_order() -> None:
    names = ["notebooks", "tour", "prepare", "train", "finetune", "flow", "sample", "evaluate", "figures", "publish"]
    assert [stage.name for stage in MAIN] == names
    assert [stage.name for stage in HEAVY] == [*SUITE_NAMES, "seed", "budget", "ablation", "results", "publish"]


def test_every_notebook_has_a_stage(root: Path) -> None:
    there = {f"notebooks/{path.name}" for path in (root / "notebooks").glob("*.ipynb")}
    assert {stage.notebook for stage in RUNS} == there


def test_the_suites_run_in_the_root_and_repeat_what_the_parameters_list(root: Path) -> None:
    assert all(stage.body["wdir"] == ".." for stage in HEAVY)
    document = YAML(typ="safe").load(root / SUITES)
    assert [(root / SUITES).parent / path for path in document["vars"]] == [root / "suites" / ".." / "params.yaml"]
    repeated = {stage.name: stage for stage in HEAVY if stage.each}
    assert {name: stage.each for name, stage in repeated.items()} == {
        "baseline": ["judge", "language", "reverse", "bpe", "chunker"],
        "seed": "${seeds}",
        "budget": "${budgets}",
        "ablation": "${ablations.variants}",
    }
    assert "-p name ${item}" in repeated["baseline"].body["cmd"]
    assert "-p name seed${item} -p seed ${item}" in repeated["seed"].body["cmd"]
    assert "-p seed ${seed} -p steps ${item.steps} -p text ${item.text}" in repeated["budget"].body["cmd"]
    assert "-p variant ${key}" in repeated["ablation"].body["cmd"]
    assert "ablations.variants.${key}" in repeated["ablation"].body["params"]
    parameters = YAML(typ="safe").load(root / "params.yaml")
    assert (
        len(set(parameters["seeds"])) == len(parameters["seeds"]) and "reference" in parameters["ablations"]["variants"]
    )


def test_no_file_is_made_twice_and_the_main_pipeline_needs_no_suite() -> None:
    made = [path for stage in STAGES for path in stage.paths("outs", "metrics", "plots")]
    assert len(set(made)) == len(made)
    assert not [path for stage in MAIN for path in stage.paths("deps") if path.startswith("suites")]
    assert all(path.startswith(("suites/", "reports/suites/")) for stage in HEAVY for path in stage.paths("outs"))


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_a_stage_depends_on_the_modules_it_uses(stage: Stage, root: Path) -> None:
    assert (root / stage.notebook).is_file(), f"{stage.notebook} is missing"
    used = [path for path in stage.modules if path != "zonkey/data/__init__.py"]
    assert used == files_needed(root / stage.notebook, root), "run `make deps`"


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_a_stage_depends_on_the_copy_of_its_notebook(stage: Stage) -> None:
    copy = f"build/notebooks/{Path(stage.notebook).name}"
    assert stage.paths("deps")[0] == copy
    executed = "suites/executed/" if stage in HEAVY else "build/executed/"
    assert f"--engine zonkey {copy} {executed}" in stage.body["cmd"]
    assert stage.paths("outs")[0] in stage.body["cmd"]


@pytest.mark.parametrize("stage", RUNS, ids=stage_id)
def test_the_files_a_notebook_names_are_declared(stage: Stage, root: Path) -> None:
    source = (root / stage.notebook).read_text(encoding="utf-8")
    named = set(re.findall(rf"\b{MADE}/[\w/{{}}.-]*[\w}}]", source))
    declared = [re.sub(r"\$\{.*?\}", "", path) for path in stage.paths("deps", "outs", "metrics", "plots")]
    roots = [path.removesuffix(".json") for path in declared if path]
    roots += ["models/level"] if stage.name == "finetune" else []
    loose = {name for name in named if not any(name.startswith(path) for path in roots)}
    assert not loose, f"{stage.notebook} names files that stage {stage.name} does not declare"


def test_every_parameter_has_a_stage(root: Path) -> None:
    parameters = set(_leaves(YAML(typ="safe").load(root / "params.yaml")))
    watched = [re.sub(r"\$\{.*?\}", "*", path) for stage in STAGES for path in stage.body.get("params", [])]
    loose = [name for name in parameters if not name.startswith(FREE) and not _covered(name, watched)]
    assert not loose, f"no stage depends on {sorted(loose)}"
    dead = [path for path in watched if not any(_covered(name, [path]) for name in parameters)]
    assert not dead, f"dvc.yaml names parameters that there are not: {dead}"


def test_what_is_published_hangs_on_the_parameters_beside_it() -> None:
    """They are copied along, so that other parameters are published again."""
    published = [stage for stage in STAGES if stage.name == "publish"]
    assert len(published) == 2
    for stage in published:
        assert "params.yaml" in stage.paths("deps") and "--params" not in stage.body["cmd"]


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
    made = [path for stage in STAGES for path in stage.paths("outs", "metrics", "plots")]
    patterns = [line.strip("/*") for line in (root / ".gitignore").read_text().splitlines()]
    for path in made:
        folder = "/".join(path.split("/")[: 2 if path.startswith("suites/") else 1])
        assert (folder in patterns) != path.startswith("reports/")


def test_the_lock_pins_what_the_project_needs(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (root / "requirements.lock").read_text(encoding="utf-8")
    pinned = {_name(pin) for pin in re.findall(r"(?m)^([\w.-]+)==[\w.]+$", pins)}
    needed = [*project["dependencies"], "setuptools"]
    needed += [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    assert {_name(re.match(r"[\w.-]+", requirement).group()) for requirement in needed} <= pinned
    assert not re.search(r"(?m)^(?!#).*(://|--|\+)", pins), "the lock names versions, not places"


def test_the_files_behind_the_lock_are_known_by_their_hashes(root: Path) -> None:
    """All but torch's: which of its builds fits is up to the machine."""
    pins, files = ((root / f"requirements.{kind}").read_text(encoding="utf-8") for kind in ("lock", "hashes"))
    entries = re.findall(r"(?m)^([\w.-]+==[^\s;]+)[^\\\n]*((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", files)
    pinned = [pin for pin in re.findall(r"(?m)^([\w.-]+==[^\s;]+)", pins) if not pin.startswith("torch==")]
    assert sorted(_pin(found) for found, _ in entries) == sorted(map(_pin, pinned))
    assert len(re.findall(r"(?m)^[\w.-]+==", files)) == len(entries)


def _pin(pin: str) -> tuple[str, str]:
    name, _, version = pin.partition("==")
    return _name(name), version


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
    patterns = (re.escape(path).replace(r"\*", r"\w+") for path in watched)
    return any(re.match(rf"{pattern}(\.|$)", name) for pattern in patterns)


def _name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
