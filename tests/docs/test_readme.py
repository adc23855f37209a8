"""The numbers in the README's first table are those that were published."""

from __future__ import annotations

import re

import pytest

from tests.repository import ROOT
from zonkey.results.measured import read, rows

COLUMNS = {"default": 1, "wikipedia-cpu": 2}
ROWS = {  # what a cell begins with; names are metrics of the evaluation
    "text → level 0 → text, bytes right": "{reconstruction.level0.bytes:.1%}",
    "text → level 1 → text, bytes right": "{reconstruction.level1.bytes:.1%}",
    "bytes per segment, level 0 / level 1": (
        "{segmentation.level0.bytes_per_segment:.1f} / {segmentation.level1.bytes_per_segment:.1f}"
    ),
    "begins of level 0 that are certain (below 0.1 or above 0.9)": "{segmentation.level0.decided:.1%}",
    "begins of level 0 against first letters of words, F1": "{segmentation.level0.words.f1:.2f}",
    "the same, within one byte": "{segmentation.level0.words_near.f1:.2f}",
    "begins of level 0 against spaces before words, F1": "{segmentation.level0.spaces.f1:.2f}",
    "begins of level 1 against sentence starts, within one byte, F1": "{segmentation.level1.sentences_near.f1:.2f}",
    "mean begin probability after spaces / inside words, level 0": (
        "{segmentation.level0.begin_probability.after_space:.2f} / "
        "{segmentation.level0.begin_probability.inside_word:.2f}"
    ),
    "generated words (top level) that occur in the training text": "{generation.level1.word_share:.1%} (",
    "the same for level 0 (words)": "{generation.level0.word_share:.1%}",
    "bytes of a generated text, mean ± std (least to most)": (
        "{generation.level1.mean_bytes:.0f} ± {generation.level1.std_bytes:.0f} "
        "({generation.level1.least_bytes:.0f} to {generation.level1.most_bytes:.0f})"
    ),
    "8 gaps of 4 bytes filled right, bytes (commonest byte everywhere)": (
        "{infill.bytes4.bytes:.1%} ({infill.bytes4.baseline:.1%})"
    ),
}


def cells(label: str) -> list[str]:
    """The row of the README's first table that begins so."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {label} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def metrics(profile: str) -> dict[str, float]:
    return read(ROOT / "reports" / profile / "metrics")


def filled(template: str, found: dict[str, float]) -> str:
    """A dash where one of the numbers was not measured."""
    names = re.findall(r"\{([\w.]+):", template)
    if any(f"evaluate.{name}" not in found for name in names):
        return "–"
    return re.sub(r"\{([\w.]+):(.*?)\}", lambda hit: format(found[f"evaluate.{hit[1]}"], hit[2]), template)


@pytest.mark.parametrize("profile", COLUMNS)
@pytest.mark.parametrize("label", ROWS)
def test_a_cell_says_what_was_measured(label: str, profile: str) -> None:
    assert cells(label)[COLUMNS[profile]].startswith(filled(ROWS[label], metrics(profile)))


@pytest.mark.parametrize("profile", COLUMNS)
def test_more_steps_say_what_was_measured(profile: str) -> None:
    shares = rows(metrics(profile), "evaluate.generation_by_steps.steps*.word_share")
    said = [f"{share['']:.1%} ({steps})" for steps, share in shares.items()]
    assert said and cells("the same with more steps")[COLUMNS[profile]] == ", ".join(said)


@pytest.mark.parametrize("profile", COLUMNS)
def test_the_texts_that_differ_are_counted(profile: str) -> None:
    found = metrics(profile)
    assert found["evaluate.generation.level1.texts"] == 100
    distinct = found["evaluate.generation.level1.distinct"]
    assert cells("distinct texts of 100")[COLUMNS[profile]] == f"{100 * distinct:.0f}"
