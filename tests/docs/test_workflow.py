"""The workflow runs what ``.ci/run`` runs, and that is what the README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.markdown import blocks, section

WORKFLOW = ".github/workflows/test.yml"
SYSTEMS = {"ubuntu", "macos"}
PINNED = re.compile(r"[\w-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})")
COMMAND = "make test"


@pytest.fixture(scope="module")
def workflow(root: Path) -> Any:
    return YAML(typ="safe").load(root / WORKFLOW)


@pytest.fixture(scope="module")
def job(workflow: Any) -> Any:
    assert list(workflow["jobs"]) == ["test"], "what is said here of one job has to be said of all"
    return workflow["jobs"]["test"]


def steps(job: Any, action: str) -> list[Any]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"{action}@")]


@pytest.fixture
def script(tmp_path: Path, root: Path) -> Any:
    """Runs a copy of ``.ci/run`` with a ``make`` that notes how it was called and gives a status."""
    shutil.copytree(root / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin" / "make"
    make.write_text('#!/bin/sh\necho "make $*" >> called\necho said; echo wrong >&2\nexit "$STATUS"\n')
    make.chmod(0o755)

    def run(status: int) -> tuple[int, list[str]]:
        search = f"{make.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [tmp_path / ".ci" / "run"],
            cwd=tmp_path / "bin",  # from any folder
            env={**os.environ, "PATH": search, "STATUS": str(status)},
            capture_output=True,
            timeout=60,
        )
        return done.returncode, (tmp_path / "called").read_text().splitlines()

    return run


def test_it_runs_the_script_and_nothing_else(job: Any) -> None:
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert not {"defaults", "container"} & set(job), "a shell or a container of its own would be another command"
    assert not [step for step in job["steps"] if step.get("continue-on-error")]
    ran = next(step for step in job["steps"] if "run" in step)
    assert not {"if", "env", "shell", "working-directory"} & set(ran)


def test_the_script_runs_what_the_readme_says(script: Any, root: Path) -> None:
    readme = section((root / "README.md").read_text(encoding="utf-8"), "Two commands")
    said = [line.partition("#")[0].strip() for block in blocks(readme, "sh") for line in block.splitlines()]
    assert said == ["make repro", COMMAND], "the README says how tests are run"
    assert script(0) == (0, [COMMAND])


@pytest.mark.parametrize("status", [0, 2])
def test_the_script_ends_as_the_tests_do_and_keeps_their_log(
    script: Any, status: int, job: Any, tmp_path: Path
) -> None:
    assert script(status)[0] == status
    (kept,) = steps(job, "actions/upload-artifact")
    assert (tmp_path / kept["with"]["path"]).read_text() == "said\nwrong\n"
    assert kept["if"] == "failure()" and job["steps"][-1] == kept


def test_both_systems_one_python(job: Any, root: Path) -> None:
    systems = job["strategy"]["matrix"]["system"]
    assert job["runs-on"] == "${{ matrix.system }}" and len(systems) == len(SYSTEMS)
    assert {name.split("-")[0] for name in systems} == SYSTEMS
    assert not {"include", "exclude"} & set(job["strategy"]["matrix"])
    (python,) = steps(job, "actions/setup-python")
    version = python["with"]["python-version"]
    assert f"python={version}" in YAML(typ="safe").load(root / "environment.yml")["dependencies"]
    assert (
        f"python{version}" in (root / "Makefile").read_text()
        and f"Python {version}" in (root / "README.md").read_text()
    )


def test_downloads_are_kept_until_what_is_installed_changes(job: Any, root: Path) -> None:
    (python,) = steps(job, "actions/setup-python")
    named = python["with"]["cache-dependency-path"].split()
    rule = re.search(r"(?m)^\$\(STAMP\): (.*)$", (root / "Makefile").read_text())
    assert python["with"]["cache"] == "pip" and rule and set(named) == set(rule.group(1).split())


def test_it_may_read_and_no_more(workflow: Any, job: Any) -> None:
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    (checkout,) = steps(job, "actions/checkout")
    assert checkout["with"]["persist-credentials"] is False
    assert "pull_request_target" not in workflow["on"], "it would run a stranger's code with the repository's rights"
    assert "secrets." not in str(workflow)


def test_actions_are_pinned(job: Any) -> None:
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used and all(PINNED.fullmatch(name) for name in used)


def test_it_ends_in_time_and_gives_way(workflow: Any, job: Any) -> None:
    ran = next(step for step in job["steps"] if "run" in step)
    assert 0 < ran["timeout-minutes"] < job["timeout-minutes"] <= 180
    assert workflow["concurrency"]["cancel-in-progress"] is True and "github.ref" in workflow["concurrency"]["group"]
