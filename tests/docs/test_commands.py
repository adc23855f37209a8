"""What the documents tell people to type: every command is one that is there, and those for a model run as written."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docs.markdown import blocks
from tests.model.build import model
from tests.pipeline import stages
from tests.repository import ROOT
from zonkey.cli import _parser, main
from zonkey.config import read_mapping
from zonkey.variants import place

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
OURS = re.compile(r"^(?:\$ )?(?:python -m )?zonkey (?!train)(.*)$")  # but the module that a launcher starts
WITH_A_MODEL = ("segment", "reconstruct", "generate", "infill", "info models/final")


def typed(page: str) -> Iterator[str]:
    """Commands in shell blocks, and those in the text that are whole."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            yield from (part.strip() for part in line.split("&&"))
    for inline in re.findall(r"`((?:python -m zonkey|zonkey|dvc repro|dvc exp run) [^`]+)`", text):
        yield from (part.strip() for part in inline.split("&&"))


COMMANDS = sorted({(page, line) for page in PAGES for line in typed(page) if line and not line.startswith("#")})
OWN = [(page, found[1]) for page, line in COMMANDS if (found := OURS.match(line))]
TO_RUN = sorted({line for page, line in OWN if page == "README.md" and line.startswith(WITH_A_MODEL) and " " in line})


@pytest.mark.parametrize(("page", "line"), OWN)
def test_zonkey_knows_the_command_and_its_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[-1] in ("segment", "reconstruct", "generate", "infill", "notebooks", "..."):
        words = words[:1]  # a command that is spoken of
    try:
        _parser().parse_args([word for word in words if word != "..."])
    except SystemExit as stop:
        needs_more = words in (["notebooks"], ["notebooks", "run"], ["notebooks", "publish"])
        assert stop.code == 0 or needs_more, f"{page}: zonkey {line}"


@pytest.mark.parametrize(("page", "line"), [one for one in COMMANDS if one[1].startswith("dvc repro")])
def test_dvc_knows_the_stage(page: str, line: str) -> None:
    for word in shlex.split(line, comments=True)[2:]:
        if not word.startswith("-"):
            file, _, stage = word.rpartition(":")
            known = stages.read(file) if file else stages.read()
            entries = {entry.name: entry for entry in known}
            name, _, item = stage.partition("@")
            if word.endswith(".yaml"):
                assert (ROOT / word).is_file(), f"{page}: {line}"
            else:
                assert name in entries, f"{page}: {line}"
                assert not item or entries[name].each, f"{page}: {line}"


def test_parameters_that_are_changed_for_an_experiment_exist() -> None:
    lines = [line for _, line in COMMANDS] + re.findall(r"`(-S [^`]+)`", (ROOT / "README.md").read_text("utf-8"))
    changed = [word for line in lines for word in re.findall(r"-S ([\w.]+)=", line)]
    assert len(changed) >= 3
    params = read_mapping(ROOT / "params.yaml", YAML())
    for name in changed:
        holder, last = place(params, name)
        assert isinstance(holder, list) or last in holder, name


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader of the README stands: a model in ``models/final``."""
    folder = tmp_path_factory.mktemp("reader")
    model(2).save_pretrained(folder / "models/final")
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


@pytest.mark.parametrize("line", TO_RUN)
def test_commands_for_a_model_run(
    line: str, there: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(there)
    assert main(shlex.split(line, comments=True)) == 0
    assert capfd.readouterr().out


def test_the_example_in_python_runs(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(there)
    (example,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")
    exec(compile(example, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 4


def test_there_are_commands_to_try() -> None:
    assert len(OWN) > 25 and len(TO_RUN) >= 4
