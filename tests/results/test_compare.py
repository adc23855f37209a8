"""A run against the published one, on numbers made up by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zonkey.cli import main
from zonkey.results import differences

PUBLISHED = {
    "evaluate.words.f1": 0.80,
    "evaluate.bytes": 0.99,
    "seed0.words.f1": 0.80,
    "seed1.words.f1": 0.74,
    "seed2.words.f1": 0.83,
    "seed1.bytes": 0.99,  # one seed has no range
}


@pytest.mark.parametrize(
    ("name", "value", "within"),
    [
        ("evaluate.words.f1", 0.89, True),  # the seeds span 0.09
        ("evaluate.words.f1", 0.71, True),
        ("evaluate.words.f1", 0.70, False),
        ("evaluate.words.f1", 0.90, False),
        ("evaluate.bytes", 0.9405, True),  # 5% of 0.99 is 0.0495
        ("evaluate.bytes", 0.94, False),
    ],
)
def test_the_range_over_seeds_is_allowed_or_a_share(name: str, value: float, within: bool) -> None:
    yours = {"evaluate.words.f1": 0.80, "evaluate.bytes": 0.99} | {name: value}
    found = {one.name: one for one in differences(PUBLISHED, yours, 0.05)}
    assert set(found) == {"evaluate.words.f1", "evaluate.bytes"}  # the suite of seeds was not run here
    assert found[name].within is within and found[name].yours == value
    assert all(one.within for other, one in found.items() if other != name)


def test_a_number_that_one_run_lacks_differs() -> None:
    found = differences({"evaluate.a": 1.0}, {"evaluate.b": 1.0}, 0.05)
    assert [(one.name, one.within) for one in found] == [("evaluate.a", False), ("evaluate.b", False)]


def write(folder: Path, **files: dict) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def run(folder: Path, *more: str) -> int:
    return main(["compare", "--reports", str(folder / "reports"), "--yours", str(folder / "mine"), *more])


def test_the_command_says_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "reports/default/metrics", evaluate={"bytes": 0.9, "words": {"f1": 0.5}})
    write(tmp_path / "mine", evaluate={"bytes": 0.91, "words": {"f1": 0.4}})
    assert run(tmp_path) == 1
    seen = capsys.readouterr()
    assert seen.out == "evaluate.words.f1: 0.5 published, 0.4 yours, 0.025 allowed\n1 of 2 numbers agree\n"
    assert seen.err == "zonkey: 1 numbers differ by more than is allowed\n"
    assert run(tmp_path, "--share", "0.2", "--all") == 0
    assert "evaluate.bytes: 0.9 published, 0.91 yours, 0.18 allowed\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--profile", "other"], "name a published profile"),
        (["--yours", "gone"], "no folder gone; run `dvc repro`"),
        ([], "no metrics file in common"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "reports/default/metrics", evaluate={"bytes": 0.9})
    (tmp_path / "mine").mkdir()
    assert run(tmp_path, *more) == 2
    assert says in capsys.readouterr().err
