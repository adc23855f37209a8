"""Splitters against boundaries and chance, on texts cut by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zonkey.config import load_config
from zonkey.data import encyclopedia
from zonkey.evaluate import (
    Boundaries,
    Match,
    found_boundaries,
    off_rate,
    splitter_scores,
    true_boundaries,
    zonkey_splitters,
)
from zonkey.evaluate.splitting import agreement, random_cuts
from zonkey.text import LevelSegmentation, Segmentation

TEXTS = ["ab cd.", "Ab. Cd"]  # words at 0 and 3, 0 and 4; sentences at 0, 0 and 4


def every(size: int):
    return lambda text: range(0, len(text), size)


def test_scores_by_hand() -> None:
    data = [text.encode() for text in TEXTS]
    scores = splitter_scores({"two": every(2), "all": every(1)}, data, found_boundaries(TEXTS))
    two = scores["two"]
    assert two.bytes_per_segment == 2.0
    # Cuts at 2 and 4 in both; words at 3 and at 4: one exact hit, and both words within a byte.
    assert two.words.exact == Match(1 / 4, 1 / 2, pytest.approx(1 / 3))
    assert two.words.near == Match(1 / 2, 1.0, pytest.approx(2 / 3))
    assert two.sentences.exact == Match(1 / 4, 1.0, pytest.approx(0.4))


def cuts(*starts: int) -> frozenset[int]:
    return frozenset([0, *starts])


def test_agreement_by_hand() -> None:
    """Two texts, cut at 4 and 9 and at 3; boundaries at 4, at 3 and 8. Of the two draws the second hits more."""
    random = [[cuts(2, 9), cuts(7)], [cuts(5, 4), cuts(6)]]
    found = agreement([cuts(4, 9), cuts(3)], [cuts(4), cuts(3, 8)], random)
    assert found.exact == found.near == Match(2 / 3, 2 / 3, pytest.approx(2 / 3))
    # Draws: the 4 alone is hit, one of six cuts and of six boundaries; within a byte also 8, by 7.
    assert (found.chance, found.near_chance) == (pytest.approx(1 / 6), pytest.approx(2 / 6))
    assert (found.lift, found.near_lift) == (pytest.approx(4.0), pytest.approx(2.0))
    # At best one of the two cuts of the first text and the one of the second are right: two of three, as they are.
    assert found.ceiling == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("ours", "ceiling"),
    [
        ([cuts(1, 2, 3, 4), cuts()], 2 / 7),  # of four cuts one can be right, of the other text's boundaries none
        ([cuts(1), cuts(1)], 2 * 2 / (2 + 3)),
        ([cuts(1), cuts(1, 2)], 1.0),
        ([cuts(), cuts()], 0.0),
    ],
)
def test_the_ceiling_is_what_as_many_cuts_can_hit(ours: list[frozenset[int]], ceiling: float) -> None:
    truth = [cuts(4), cuts(3, 8)]
    assert agreement(ours, truth, [ours]).ceiling == pytest.approx(ceiling)


def test_a_splitter_that_knows_stands_at_its_ceiling() -> None:
    """All words and as many cuts again: precision a half, and no splitter of this rate does better."""
    truth = frozenset(range(0, 100, 10))
    found = agreement([truth | {at + 5 for at in truth}], [truth], [[truth]])
    assert found.exact.recall == 1.0 and found.exact.f1 == found.ceiling == pytest.approx(2 * 9 / (19 + 9))


def test_rates_that_differ_are_found() -> None:
    rates = {"bpe": 3.22, "entropy": 4.30, "more": 4.56, "exact": 4.345, "less": 4.13}
    assert off_rate(rates, 4.345, 0.05) == {"bpe": 3.22}
    assert off_rate(rates, 4.345, 0.04) == {"bpe": 3.22, "more": 4.56, "less": 4.13}
    assert off_rate(rates, 4.345, 1.0) == {}


def test_cutting_everywhere_is_chance() -> None:
    score = splitter_scores({"all": every(1)}, [text.encode() for text in TEXTS], found_boundaries(TEXTS))["all"]
    assert score.words.exact == Match(2 / 10, 1.0, pytest.approx(1 / 3))
    assert score.words.chance == pytest.approx(1 / 3), "all random cuts are taken, too"
    assert score.words.lift == score.words.near_lift == pytest.approx(1.0)


def test_cutting_nowhere_scores_nothing() -> None:
    score = splitter_scores({"one": lambda text: [0]}, [b"ab cd."], found_boundaries(["ab cd."]))["one"]
    assert score.bytes_per_segment == 6.0
    assert (score.words.exact.f1, score.words.chance, score.words.lift) == (0.0, 0.0, 0.0)


def test_chance_nears_what_arithmetic_says() -> None:
    # 100 of 1000 positions are boundaries and 200 are cut: precision 0.1, recall 0.2, F1 2/15.
    truth = frozenset(range(10, 1001, 10))
    text = bytes(1001)
    cuts = [0, *range(1, 201)]
    score = splitter_scores({"first": lambda _: cuts}, [text], Boundaries((truth,), (truth,)), seed=1)["first"]
    assert score.words.chance == pytest.approx(2 / 15, abs=0.03)
    assert score.words.exact.f1 == pytest.approx(2 / 15)


def test_random_cuts_are_as_many_and_within_the_text() -> None:
    for draw in random_cuts([5, 1], [3, 1], seed=0):
        assert len(draw[0]) == 3 and {0} <= draw[0] <= set(range(5)) and draw[1] == {0}
    assert random_cuts([50], [9], 0) == random_cuts([50], [9], 0) != random_cuts([50], [9], 1)


@pytest.mark.parametrize("starts", [[], [1, 2], [0, 9], [0, 3, 2], [0, 2, 2]])
def test_offsets_that_make_no_sense(starts: list[int]) -> None:
    with pytest.raises(ValueError, match="0 first"):
        splitter_scores({"bad": lambda _: starts}, [b"abcd"], found_boundaries(["abcd"]))


def test_boundaries_for_each_text() -> None:
    for texts in ([], [b"one", b"two"]):
        with pytest.raises(ValueError, match="boundaries of 1"):
            splitter_scores({}, texts, found_boundaries(["one"]))


def test_the_built_in_corpus_knows_its_boundaries(root) -> None:
    data = load_config(root / "params.yaml").data.model_copy(update={"documents": 5, "seed": 3})
    one = list(encyclopedia.articles(5, seed=3))[4]
    true, found = true_boundaries([one.text], data), found_boundaries([one.text])
    assert true == Boundaries((frozenset(one.words),), (frozenset(one.sentences),))
    assert true.words == found.words
    with pytest.raises(ValueError, match="no article of this corpus"):
        true_boundaries([one.text[:50]], data)
    assert true_boundaries(["any"], data.model_copy(update={"source": "text"})) is None


def test_levels_as_splitters() -> None:
    asked = []

    def segment(text: str) -> Segmentation:
        asked.append(text)
        low, high = (LevelSegmentation(starts, (), ()) for starts in ((0, 2, 4), (0, 4)))
        return Segmentation(text, (low, high))

    splitters = zonkey_splitters(SimpleNamespace(levels=[0, 1], segment=segment))
    assert {name: split("étés".encode()) for name, split in splitters.items()} == {
        "zonkey_level0": (0, 2, 4),
        "zonkey_level1": (0, 4),
    }
    assert asked == ["étés"], "segmented once"
    assert splitters["zonkey_level0"](b"x") == (0,) and splitters["zonkey_level1"](b"") == ()
