"""How far an F1 would move with other texts, against arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from zonkey.evaluate import f1_interval


def test_two_texts_have_three_samples() -> None:
    """Of an F1 of 1 and one of 0: both, the first twice, the second twice; 95% holds all three."""
    assert f1_interval(np.array([[4, 4, 4], [4, 4, 0]])) == (0.0, 1.0)


def test_texts_that_are_alike_leave_no_doubt() -> None:
    counts = np.array([[4, 6, 3]] * 5)
    assert f1_interval(counts) == (pytest.approx(0.6), pytest.approx(0.6))


def test_the_interval_is_that_of_a_share() -> None:
    """Of 400 texts of one cut and one boundary 300 hit: 0.75 with a standard error of (0.75 x 0.25 / 400)^0.5."""
    counts = np.array([[1, 1, 1]] * 300 + [[1, 1, 0]] * 100)
    low, high = f1_interval(counts, seed=1)
    error = (0.75 * 0.25 / 400) ** 0.5
    assert low == pytest.approx(0.75 - 1.96 * error, abs=0.006)
    assert high == pytest.approx(0.75 + 1.96 * error, abs=0.006)


def test_the_seed_decides() -> None:
    counts = np.array([[cuts, cuts + 3, cuts // (1 + cuts % 3)] for cuts in range(1, 60)])
    assert f1_interval(counts, seed=1) == f1_interval(counts, seed=1) != f1_interval(counts, seed=2)


def test_long_texts_count_for_more() -> None:
    """Sums, then ratios, as in the score itself: a long text that is right outweighs short ones that are not."""
    counts = np.array([[1000, 1000, 1000], [1000, 1000, 1000], *[[1, 1, 0]] * 4])
    low, high = f1_interval(counts)
    assert high > 0.99 and low < 0.01, "some samples hold no long text"


def test_where_there_is_nothing_to_draw() -> None:
    assert f1_interval(np.array([[4, 4, 4]])) is None
    assert f1_interval(np.zeros((3, 3), dtype=int)) == (0.0, 0.0), "no cuts and no boundaries"
