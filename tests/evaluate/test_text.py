"""Text similarity and plain records, on cases worked out by hand."""

from __future__ import annotations

import pytest

from zonkey.evaluate import TextScore, compare, flat, rounded, similarity


@pytest.mark.parametrize(
    ("truth", "result", "share"),
    [
        ("", "", 1.0),
        ("abcd", "abcd", 1.0),
        ("abcd", "abXd", 0.75),
        ("abcd", "bcd", 0.75),  # one byte missing: the rest is right once aligned
        ("abcd", "", 0.0),
        ("ab", "abcd", 0.5),  # of the longer
        ("é", "e", 0.0),  # two bytes against one other
    ],
)
def test_similarity(truth: str, result: str, share: float) -> None:
    assert similarity(truth, result) == pytest.approx(share)


def test_every_byte_counts_the_same() -> None:
    score = compare(["aaaaaaaa", "bb"], ["aaaaaaaa", "xx"])
    assert score == TextScore(bytes=0.8, exact=0.5, texts=2)


@pytest.mark.parametrize("results", [[], ["a", "b"]])
def test_results_must_fit_the_truths(results: list[str]) -> None:
    with pytest.raises(ValueError, match="one result for each"):
        compare(["a"], results)


def test_records() -> None:
    plain = rounded({"score": compare(["abc"], ["abd"]), 1: (2, None, "x")})
    assert plain == {"score": {"bytes": 0.666667, "exact": 0.0, "texts": 1}, "1": [2, None, "x"]}
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
