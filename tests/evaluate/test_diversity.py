"""Copies, n-grams and distances of texts that fit on a line."""

from __future__ import annotations

import numpy as np
import pytest

from zonkey.evaluate import distinct, index_text, jensen_shannon, longest_copy, nearest

TRAINING = b"the cat sat on the mat"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"", 0),
        (b"xyz", 0),
        (b"the cat sat on the mat", 22),
        (b"a cat sat here", 9),  # " cat sat "
        (b"on the cat", 7),  # "on the " and "the cat" are 7 each
        (b"mat", 3),
        (b"matt", 3),
        (b"zzz the matzzz", 8),  # " the mat"
        (b"\xff\x00", 0),
    ],
)
def test_longest_copy(text: bytes, size: int) -> None:
    assert longest_copy(index_text(TRAINING), text) == size


def test_longest_copy_is_what_looking_everywhere_finds() -> None:
    draw = np.random.default_rng(0)
    training = bytes(draw.choice([97, 98, 99], 400).astype(np.uint8))
    index = index_text(np.frombuffer(training, dtype=np.uint8))
    for _ in range(20):
        text = bytes(draw.choice([97, 98, 99], 30).astype(np.uint8))
        sizes = [b - a for a in range(30) for b in range(a + 1, 31) if text[a:b] in training]
        assert longest_copy(index, text) == max(sizes)


def test_nothing_to_index() -> None:
    with pytest.raises(ValueError, match="text to index is empty"):
        index_text(b"")


def test_distinct_by_hand() -> None:
    texts = [["a", "b", "a", "b"], ["a", "b"], []]
    assert distinct(texts, 1) == 2 / 6
    assert distinct(texts, 2) == 2 / 4  # ab, ba, ab, ab
    assert distinct(texts, 4) == 1.0
    assert distinct(texts, 5) is None
    assert distinct([b"aaa"], 2) == 1 / 2
    with pytest.raises(ValueError, match="at least 1 item"):
        distinct(texts, 0)


def test_the_nearest_text_by_hand() -> None:
    # abcd and abxd differ in one of four letters; "" is like nothing; éé and ée in one of two.
    assert nearest(["abcd", "abxd", "", "éé", "ée"]) == [3 / 4, 3 / 4, 0.0, 1 / 2, 1 / 2]
    assert nearest(["abcd", "ab", "abcd"]) == [1.0, 1 / 2, 1.0]
    assert nearest(["abcd"]) == nearest([]) == []


def test_jensen_shannon_by_hand() -> None:
    assert jensen_shannon([1, 2, 2], [2, 2, 1]) == 0.0
    assert jensen_shannon([1, 1], [2]) == pytest.approx(1.0)
    # P = (1, 0), Q = (1/2, 1/2), M = (3/4, 1/4): half of log2(4/3), and of (log2(2/3) + log2 2) / 2.
    divergence = (np.log2(4 / 3) + (np.log2(2 / 3) + 1) / 2) / 2
    assert jensen_shannon([5], [5, 9]) == pytest.approx(np.sqrt(divergence))
    assert jensen_shannon([], [1]) is None
