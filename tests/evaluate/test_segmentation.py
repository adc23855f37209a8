"""Cuts against words and sentences, on texts marked by hand."""

from __future__ import annotations

import pytest

from zonkey.evaluate import (
    Match,
    kinds_of,
    level_report,
    match,
    segment_lengths,
    sentence_starts,
    tally,
    word_starts,
)
from zonkey.text import LevelSegmentation, Segmentation

TEXT = "A é 12. Yes!"  # bytes: A0 _1 é2,3 _4 1(5) 2(6) .7 _8 Y9 e10 s11 !12


def at(kind: str, text: str = TEXT) -> list[int]:
    return [place for place, kinds in enumerate(kinds_of(text)) if kind in kinds]


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("after_space", [2, 5, 9]),
        ("word_start", [0, 2, 5, 9]),
        ("sentence_start", [0, 9]),
        ("sentence_end", [7, 12]),
        ("after_full_stop", [8]),
        ("inside_word", [3, 6, 10, 11]),
        ("space", [1, 4, 8]),
        ("digit", [5, 6]),
        ("inside_character", [3]),
        ("elsewhere", [0, 1, 3, 4, 6, 8, 10, 11]),
    ],
)
def test_kinds_of_position(kind: str, places: list[int]) -> None:
    assert at(kind) == places


def test_sentences_begin_after_marks_and_line_ends() -> None:
    text = 'Pi is 3.14. "Oh?" No\n\nList\n• one'
    assert {text.encode()[at:].decode()[:2] for at in sentence_starts(text)} == {"Pi", '"O', "No", "Li", "• "}
    assert sorted(word_starts("don't mix 3.14, x")) == [0, 6, 10, 16]


def test_match_by_hand() -> None:
    # Cuts at 2, 5, 7 against boundaries at 2, 6: one of three cuts and one of two boundaries agree.
    assert match([{0, 2, 5, 7}], [{0, 2, 6}]) == Match(1 / 3, 1 / 2, pytest.approx(0.4))
    # Within one byte 5 is at 6, and 7 is left over: a boundary has one cut only.
    assert match([{0, 2, 5, 7}], [{0, 2, 6}], tolerance=1) == Match(2 / 3, 1.0, pytest.approx(0.8))
    # 4 goes with 3, not with 5, so that 6 finds 5.
    assert match([{4, 6}], [{3, 5}], tolerance=1) == Match(1.0, 1.0, 1.0)
    assert match([{3}, {4}], [{4}, {3}], tolerance=0) == Match(0.0, 0.0, 0.0), "texts are not mixed"
    assert match([{0}], [{0}]) == Match(0.0, 0.0, 0.0)


def segmentation() -> Segmentation:
    probabilities = [0.0] * 13
    for place, b in {0: 1.0, 2: 1.0, 5: 0.8, 9: 0.6, 10: 0.2}.items():
        probabilities[place] = b
    low = LevelSegmentation((0, 2, 5, 9), tuple(probabilities), tuple(range(13)))
    high = LevelSegmentation((0, 9), (1.0, 0.05, 0.25, 0.95), (0, 2, 5, 9))
    return Segmentation(TEXT, (low, high))


def test_report_by_hand() -> None:
    report = level_report([segmentation()], 0)
    assert report.begin_rate == pytest.approx(2.6 / 12)
    assert report.decided == pytest.approx(9 / 12)  # all but 0.8, 0.6 and 0.2
    assert (report.bytes_per_segment, report.positions_per_segment) == (13 / 4, 13 / 4)
    assert report.begin_probability["after_space"] == pytest.approx(2.4 / 3)
    assert report.begin_probability["word_start"] == pytest.approx(2.4 / 3)
    assert report.begin_probability["inside_word"] == pytest.approx(0.2 / 4)
    assert report.begin_probability["sentence_end"] == 0.0
    assert report.begin_probability["elsewhere"] == pytest.approx(0.2 / 7)  # position 0 does not count
    assert report.words == Match(1.0, 1.0, 1.0)
    assert report.spaces == Match(0.0, 0.0, 0.0)


def test_report_of_the_level_above() -> None:
    report = level_report([segmentation()], 1)
    assert (report.bytes_per_segment, report.positions_per_segment) == (13 / 2, 4 / 2)
    assert report.begin_probability["sentence_start"] == pytest.approx(0.95)
    assert report.decided == pytest.approx(2 / 3)
    assert report.sentences == Match(1.0, 1.0, 1.0)
    assert report.words == Match(1.0, 1 / 3, 0.5)
    assert "inside_character" not in report.begin_probability


def test_report_within_one_byte_by_hand() -> None:
    """Cuts at 1, 4, 8 and 11: words begin at 2, 5 and 9, a sentence at 9; three of four are a byte too early."""
    early = LevelSegmentation((0, 1, 4, 8, 11), (0.0,) * 13, tuple(range(13)))
    report = level_report([Segmentation(TEXT, (early,))], 0)
    assert report.words == Match(0.0, 0.0, 0.0)
    assert report.words_near == Match(3 / 4, 1.0, pytest.approx(6 / 7))
    assert report.sentences == Match(0.0, 0.0, 0.0)
    assert report.sentences_near == Match(1 / 4, 1.0, pytest.approx(0.4))
    assert report.spaces == Match(3 / 4, 1.0, pytest.approx(6 / 7))


def test_tallies_by_hand() -> None:
    found = tally([{0, 2, 5, 7}, {0}], [{0, 2, 6}, {0, 4}], tolerance=1)
    assert found.tolist() == [[3, 2, 2], [0, 1, 0]]
    assert tally([], []).shape == (0, 3)


def test_lengths_of_segments() -> None:
    assert segment_lengths([segmentation(), segmentation()], 0) == {2: 2, 3: 2, 4: 4}
    assert segment_lengths([segmentation()], 1) == {4: 1, 9: 1}


@pytest.mark.parametrize(("texts", "level"), [([], 0), ([segmentation()], 2), ([segmentation()], -1)])
def test_no_such_level(texts: list[Segmentation], level: int) -> None:
    with pytest.raises(ValueError, match="no segmentation of level"):
        level_report(texts, level)
