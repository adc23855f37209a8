"""Gaps: where they are cut and how fillings are scored."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import zonkey.evaluate.infilling
from zonkey.evaluate import Blank, InfillScore, blanks, commonest_byte, fill, infill_score


def test_gaps_are_whole_characters_of_the_asked_length() -> None:
    text = "Žluťoučký kůň pěl ódy. " * 5
    found = blanks([text], length=4, count=20, seed=1, context=10)
    assert len(found) == 20 and len(set(found)) > 5
    for gap in found:
        assert len(gap.truth.encode()) == 4
        assert gap.before + gap.truth + gap.after in text
        assert len(gap.before) <= 10 and len(gap.after) <= 10
        assert gap.marked == gap.before + "{gap:4}" + gap.after


def test_gaps_follow_from_the_seed() -> None:
    texts = ["one text that is long enough", "and another one, longer still"]
    assert blanks(texts, 3, 8, seed=5) == blanks(texts, 3, 8, seed=5) != blanks(texts, 3, 8, seed=6)


@pytest.mark.parametrize("text", ["abc", "ééééé"])
def test_a_gap_that_is_not_to_be_found(text: str) -> None:
    with pytest.raises(ValueError, match=r"only 0 gaps of 3 bytes"):
        blanks([text], length=3, count=1, seed=0)


def test_marks_in_the_text_itself_are_left_out() -> None:
    for gap in blanks(["one {gap} two"], length=3, count=20, seed=0):
        assert "{gap" not in gap.before + gap.after


def test_scores_by_hand() -> None:
    gaps = [Blank("a", "eel ", "b"), Blank("a", "tree", "b")]
    # Right bytes: e, e, blank of the first (3 of 4) and none of the second; 'e' is 4 of the 8 gap bytes, 'l' one.
    assert infill_score(gaps, ["eeX ", "XXXX"], ord("e")) == InfillScore(4, 2, 3 / 8, 0.0, 4 / 8)
    assert infill_score(gaps, ["eel ", "tr"], ord("l")) == InfillScore(4, 2, 6 / 8, 0.5, 1 / 8)
    assert infill_score(gaps, ["eel ", "tr"], ord("q")).baseline == 0.0
    with pytest.raises(ValueError, match="one for each"):
        infill_score(gaps, ["eel "], ord("e"))


def test_the_commonest_byte_is_that_of_the_training_text(monkeypatch: pytest.MonkeyPatch) -> None:
    training = SimpleNamespace(data=np.frombuffer(b"a tree, a tree, a bee; zzzzzzzzz", dtype=np.uint8))
    assert commonest_byte(training) == ord("z")
    monkeypatch.setattr(zonkey.evaluate.infilling, "READ_BYTES", 22)
    assert commonest_byte(training) == ord("e")


def test_fillings_are_what_stands_between_the_known_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        zonkey.evaluate.infilling,
        "infill",
        lambda model, text, steps, seed: asked.append((text, steps, seed)) or text.replace("{gap:2}", "é"),
    )
    gaps = [Blank("a", "xy", "b"), Blank("", "xy", "end"), Blank("start", "xy", "")]
    assert fill(None, gaps, steps=3, seed=4) == ["é", "é", "é"]
    assert asked == [("a{gap:2}b", 3, 4), ("{gap:2}end", 3, 4), ("start{gap:2}", 3, 4)]
