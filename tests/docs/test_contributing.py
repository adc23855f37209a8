"""The worked examples of CONTRIBUTING.md are carried out, each on a copy of the repository.

A ``diff`` is applied, ``python FILE`` becomes that file, ``sh`` is run; in the order in which they stand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import Block, blocks, fenced, headings, section
from tests.repository import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = headings(section(PAGE, "Worked examples"))
LONGEST = 40  # lines of one block
NEEDED = ("zonkey", "tests", "profiles", "params.yaml", "pyproject.toml", ".gitignore")


class Copy:
    """What the examples change and run, as a git repository, so that what they changed is seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in NEEDED:
            source, ignored = ROOT / name, shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, path / name, ignore=ignored) if source.is_dir() else shutil.copy(source, path)
        self.run("git", "init", "--quiet")
        self.run("git", "add", "--all")

    def run(self, *command: str, given: str | None = None) -> str:
        settings = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        settings |= {"PYTHONPATH": str(self.path), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=self.path, env=os.environ | settings, input=given, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{given or ''}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def do(self, block: Block) -> None:
        if block.language == "diff":
            self.run("git", "apply", "--verbose", "-", given=block.text)
        elif block.language == "python":
            (self.path / block.note).parent.mkdir(parents=True, exist_ok=True)
            (self.path / block.note).write_text(block.text, encoding="utf-8")
        else:
            self.run("sh", "-eu", "-c", block.text)

    @property
    def changed(self) -> set[str]:
        """Files that are other than they were, or new."""
        return {
            line[3:]
            for line in self.run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
            if line[1] != " "
        }


def test_there_is_an_example_of_each() -> None:
    assert [f"Add {what}" for what in ("an objective", "a splitter", "a corpus", "a metric")] == EXAMPLES


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_is_a_change_a_test_and_commands(title: str) -> None:
    found = fenced(section(PAGE, title))
    assert [block.language for block in found if block.language != "sh"] == ["diff", "python"]
    assert found[-1].language == "sh"
    assert all(len(block.text.splitlines()) <= LONGEST for block in found)
    test = next(block.note for block in found if block.language == "python")
    assert re.fullmatch(r"tests/\w+/test_\w+\.py", test) and f"pytest {test}" in found[-1].text
    assert not (ROOT / test).exists(), "the example became part of the repository: choose another"


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_works(title: str, tmp_path: Path) -> None:
    copy, named = Copy(tmp_path / "copy"), set()
    for block in fenced(section(PAGE, title)):
        copy.do(block)
        if block.language != "sh":
            named |= {block.note} if block.note else set(re.findall(r"(?m)^\+\+\+ b/(.*)$", block.text))
            assert copy.changed - {"params.yaml"} == named, "git applied less, or a command wrote more"
    copy.run("ruff", "check", "--quiet", *(name for name in named if name.endswith(".py")))
    copy.run("ruff", "format", "--check", "--quiet", *(name for name in named if name.startswith("tests/")))


def test_a_change_that_does_not_fit_is_seen(tmp_path: Path) -> None:
    """Or the tests above would pass whatever the code is."""
    copy = Copy(tmp_path / "copy")
    (change,) = blocks(section(PAGE, "Add a metric"), "diff")
    module = copy.path / "zonkey" / "evaluate" / "segmentation.py"
    other = module.read_text(encoding="utf-8").replace("positions_per_segment", "positions")
    module.write_text(other, encoding="utf-8")
    with pytest.raises(AssertionError, match="patch does not apply"):
        copy.do(Block("diff", "", change))
    with pytest.raises(AssertionError, match="git no-such-command"):
        copy.do(Block("sh", "", "git no-such-command\ntrue\n"))
