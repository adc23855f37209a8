"""Profiles: merged over the default, comments kept, validated before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from zonkey.cli import main
from zonkey.cli.profile import names
from zonkey.config import ConfigError, load_config


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the parameters and profiles, at the default profile."""
    shutil.copy(root / "params.yaml", tmp_path)
    shutil.copytree(root / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "default"]) == 0
    return tmp_path


def read(path: Path) -> dict:
    return YAML(typ="safe").load(path)


def comments(path: Path) -> list[str]:
    return [line.partition("#")[2] for line in path.read_text(encoding="utf-8").splitlines() if "#" in line]


def test_the_repository_is_at_the_default_profile(root: Path, folder: Path) -> None:
    committed = (root / "params.yaml").read_text(encoding="utf-8")
    assert (folder / "params.yaml").read_text(encoding="utf-8") == committed, "run `zonkey profile default`"


@pytest.mark.parametrize("name", ["default", "tiny", "wikipedia-cpu", "gpu"])
def test_there_and_back_changes_no_byte(folder: Path, name: str) -> None:
    before, said = (folder / "params.yaml").read_bytes(), comments(folder / "params.yaml")
    assert main(["profile", name]) == 0
    config = load_config("params.yaml")
    assert config.profile == name
    assert comments(folder / "params.yaml") == said
    values = (folder / "params.yaml").read_bytes()
    assert main(["profile", name]) == 0 and (folder / "params.yaml").read_bytes() == values
    assert main(["profile", "default"]) == 0
    assert (folder / "params.yaml").read_bytes() == before


def test_profiles_replace_one_another(folder: Path) -> None:
    assert main(["profile", "gpu"]) == 0
    assert main(["profile", "tiny"]) == 0
    through = read(folder / "params.yaml")
    assert main(["profile", "default"]) == 0 and main(["profile", "tiny"]) == 0
    assert read(folder / "params.yaml") == through


def test_the_paper_s_scale(folder: Path) -> None:
    assert main(["profile", "gpu"]) == 0
    config = load_config("params.yaml")
    shapes = [(level.width, level.window, level.vectors) for level in config.model.levels]
    assert shapes == [(256, 27, 4), (1024, 27, 4)]
    assert config.data.source == "hub" and config.train.processes == 8


def test_hand_made_comments_stay(folder: Path) -> None:
    text = (folder / "params.yaml").read_text(encoding="utf-8").replace("seed: 0\n", "seed: 0  # mine\n", 1)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    assert main(["profile", "tiny"]) == 0
    assert "seed: 0  # mine\n" in (folder / "params.yaml").read_text(encoding="utf-8")


def test_what_changed_is_said(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["profile", "tiny"]) == 0
    assert "train.levels.0.steps: " in capsys.readouterr().out
    assert main(["profile", "tiny"]) == 0
    assert capsys.readouterr().out == "params.yaml is up to date\n"


def test_set_changes_values_and_what_follows(folder: Path) -> None:
    assert main(["profile", "wikipedia-cpu", "--set", "data.path=some/file.parquet", "--set", "seed=3"]) == 0
    config = load_config("params.yaml")
    assert (config.seed, config.data.path, config.pipeline.prepare) == (
        3,
        "some/file.parquet",
        "some/file.parquet",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tinny"], "there is no profile 'tinny'; the nearest is 'tiny'"),
        (["tiny", "--set", "data.pth=x"], "unknown parameter 'data.pth'; the nearest known name is 'path'"),
        (["tiny", "--set", "seed=many"], "parameter 'seed' is 'many'"),
        (["tiny", "--set", "seed"], "'seed' gives no value; write NAME=VALUE"),
        (["tiny", "--set", "data.source=text"], "source is 'text', and path is empty"),
        (["--set", "seed=1"], "--set needs the NAME of a profile"),
        (["broken"], "broken.yaml is not valid YAML"),
        (["misspelt"], "params.yaml with profile 'misspelt': unknown parameter 'modle'"),
        (["tiny", "--profiles", "nowhere"], "nowhere/ holds none"),
        (["tiny", "--params", "missing.yaml"], "no parameter file at missing.yaml"),
    ],
)
def test_nothing_is_written_on_an_error(
    folder: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture
) -> None:
    (folder / "profiles" / "broken.yaml").write_text("a: [")
    (folder / "profiles" / "misspelt.yaml").write_text("modle: 1")
    before = (folder / "params.yaml").read_bytes()
    capsys.readouterr()
    assert main(["profile", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert (folder / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["default", "tiny", "wikipedia-cpu", "gpu"])
def test_an_experiment_changes_one_line(folder: Path, name: str) -> None:
    def lines() -> list[str]:  # DVC drops the blank line after a list
        return [line for line in (folder / "params.yaml").read_text(encoding="utf-8").splitlines() if line]

    assert main(["profile", name]) == 0
    before = lines()
    apply_overrides("params.yaml", ["train.levels.0.steps=12345"])  # what `dvc exp run -S` does
    changed = [new for old, new in zip(before, lines(), strict=True) if old != new]
    assert changed == ["  - steps: 12345"]


def test_the_pipeline_section_follows_a_hand_edit(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["profile", "tiny"]) == 0
    yaml = YAML()
    document = yaml.load(folder / "params.yaml")
    del document["model"]["levels"][1], document["train"]["levels"][1]
    yaml.dump(document, folder / "params.yaml")
    with pytest.raises(ConfigError, match="run `zonkey profile`"):
        load_config("params.yaml")
    leftover = folder / "models" / "level1"
    leftover.mkdir(parents=True)
    (folder / "models" / "level0").mkdir()
    capsys.readouterr()
    assert main(["profile"]) == 0
    assert capsys.readouterr().out.startswith(f"profiles: {', '.join(names(Path('profiles')))}\n")
    assert load_config("params.yaml").pipeline.finetune == "models/level0"
    assert not leftover.exists() and (folder / "models" / "level0").exists()
