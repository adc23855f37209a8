"""Texts with gaps, ways to fill them and their scores, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import zonkey.evaluate.fillers
from tests.evaluate.judges import Unigram
from zonkey.evaluate import (
    PLACES,
    FillingScore,
    Masked,
    Puzzle,
    better_filler,
    constant_filler,
    filling_score,
    filling_scores,
    left_filler,
    oracle_filler,
    puzzles,
    right_filler,
    zonkey_filler,
)

TEXT = "one two three four five six seven eight nine ten eleven twelve"
TWO = Puzzle(Masked((b"a", b"bb", b""), (2, 1)), b"aabbba")


def counting(texts: list[bytes], count: int) -> list[bytes]:
    """Continues with the length of what it was given, digit by digit."""
    return [b"%d" % (len(text) % 10) * count for text in texts]


class Liking:
    """A judge to whom some bytes are free, and all others a bit."""

    def __init__(self, liked: bytes) -> None:
        self.liked = liked

    def bits(self, texts: list[bytes]) -> list[np.ndarray]:
        return [np.array([0.0 if byte in self.liked else 1.0 for byte in text]) for text in texts]

    def features(self, texts: list[bytes]) -> np.ndarray:
        raise NotImplementedError


def test_where_gaps_lie() -> None:
    assert TWO.masked.spans == ((1, 3), (5, 6))
    assert TWO.masked.filled([b"xy", b"z"]) == b"axybbz"


@pytest.mark.parametrize(
    ("place", "known", "gaps"),
    [("middle", [5, 5], 1), ("start", [0, 10], 1), ("end", [10, 0], 1), ("several", [5, 5, 5, 5], 3)],
)
def test_puzzles_are_pieces_of_texts(place: str, known: list[int], gaps: int) -> None:
    found = puzzles([TEXT, "too short"], 4, place, 12, seed=1, context=5)
    assert len(found) == 12 and len(set(found)) > 3
    for one in found:
        assert [len(piece) for piece in one.masked.known] == known and one.masked.gaps == (4,) * gaps
        assert one.truth.decode() in TEXT and one.truth[:1] in (b"o", b" ")
        assert one.masked.filled([one.truth[a:b] for a, b in one.masked.spans]) == one.truth
    assert found == puzzles([TEXT, "too short"], 4, place, 12, seed=1, context=5)
    assert found != puzzles([TEXT, "too short"], 4, place, 12, seed=2, context=5)


def test_puzzles_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="no text of 132 bytes for gaps of 4"):
        puzzles([TEXT], 4, "middle", 1, seed=0)
    with pytest.raises(ValueError, match="place is 'top'; choose one of middle"):
        puzzles([TEXT], 4, "top", 1, seed=0)
    assert set(PLACES) == {"middle", "start", "end", "several"}


def test_scores_by_hand() -> None:
    one = Puzzle(Masked((b"ab", b"aaaaaaaaab"), (2,)), b"ab  aaaaaaaaab")
    score = filling_score([one, TWO], [b"abb aaaaaaaaab", b"aaabba"], Unigram())
    # Right: the second of two bytes, and the first and the last of three: a half and two thirds.
    assert score.bytes == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert score.bytes_error == pytest.approx((2 / 3 - 1 / 2) / 2)
    assert (score.texts, score.gaps, score.exact) == (2, 3, 1 / 3)
    # Bits: a is 1, b is 2, a space is 3.
    assert score.bits == (1 + 2 + 2 + 3 + 9 * 1 + 2 + 1 + 1 + 1 + 2 + 2 + 1) / 20
    assert score.gap_bits == (2 + 3 + 1 + 1 + 1) / 5
    # After the first gap eight times a, after the second "bb" up to the next gap, after the third nothing.
    assert score.seam_bits == (8 * 1 + 2 + 2) / 10


def test_nothing_follows_a_gap_at_the_end() -> None:
    one = Puzzle(Masked((b"ab", b""), (1,)), b"aba")
    assert filling_score([one], [b"aba"], Unigram()) == FillingScore(1, 1, 1.0, 0.0, 1.0, 4 / 3, 1.0, None)


@pytest.mark.parametrize("filled", [[], [b"aabbb"], [b"baabba"], [b"aaabbab"]])
def test_what_is_known_stays(filled: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"give one for each|does not hold what was known"):
        filling_score([TWO], filled, Unigram())


def test_fillers_by_hand() -> None:
    masked = [TWO.masked, Masked((b"abcd", b"", b"e"), (1, 2))]
    assert left_filler(counting)(masked) == [b"a11bb5", b"abcd455e"]
    assert right_filler(counting)(masked) == [b"a33bb0", b"abcd311e"]
    assert constant_filler(ord("e"))(masked) == [b"aeebbe", b"abcdeeee"]
    assert oracle_filler([TWO])(masked[:1]) == [TWO.truth]
    assert left_filler(counting)([]) == right_filler(counting)([]) == []


def test_gaps_of_one_size_are_filled_side_by_side() -> None:
    asked = []

    def write_on(texts: list[bytes], count: int) -> list[bytes]:
        asked.append((texts, count))
        return [b"?" * count for _ in texts]

    masked = [Masked((b"a", b"b"), (2,)), Masked((b"c", b"d"), (1,)), Masked((b"ee", b"f"), (2,))]
    assert left_filler(write_on)(masked) == [b"a??b", b"c?d", b"ee??f"]
    assert asked == [([b"c"], 1), ([b"a", b"ee"], 2)]
    with pytest.raises(ValueError, match=r"texts with \[1, 2\] gaps"):
        left_filler(write_on)([masked[0], TWO.masked])


def test_the_better_direction_is_what_both_models_find_likelier() -> None:
    masked = [TWO.masked, TWO.masked]
    fillers = [left_filler(counting), right_filler(counting)]
    # "a11bb5" against "a33bb0": judges that like 3 and 0, and 1, pay 10 and 9 bits; 1 and 5, and 3: 9 and 10.
    assert better_filler(fillers, [Liking(b"30"), Liking(b"1")])(masked) == [b"a33bb0"] * 2
    assert better_filler(fillers, [Liking(b"15"), Liking(b"3")])(masked) == [b"a11bb5"] * 2
    assert better_filler(fillers, [Liking(b""), Liking(b"")])(masked) == [b"a11bb5"] * 2, "the first of equals"
    # Texts are chosen one by one.
    other = Masked((b"", b"bb", b"x"), (2, 1))  # "00bb4x" or "44bb1x"
    assert better_filler(fillers, [Liking(b"14")])([TWO.masked, other]) == [b"a11bb5", b"44bb1x"]


def test_all_fillers_fill_the_same() -> None:
    scores = filling_scores([TWO], {"oracle": oracle_filler([TWO]), "b": constant_filler(ord("b"))}, Unigram())
    assert (scores["oracle"].bytes, scores["b"].bytes) == (1.0, pytest.approx(1 / 3))


def test_zonkey_is_asked_in_batches_and_answers_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fill_gaps(model: object, texts: list[list[bytes | int]], steps: int, seed: int) -> list[bytes]:
        asked.append((len(texts), steps, seed))
        return [b"".join(part if isinstance(part, bytes) else b"?" * part for part in text) for text in texts]

    monkeypatch.setattr(zonkey.evaluate.fillers, "fill_gaps", fill_gaps)
    monkeypatch.setattr(zonkey.evaluate.fillers, "BATCH_BYTES", 12)
    masked = [Masked((b"abcd", b""), (3,)), TWO.masked, Masked((b"", b"xy"), (1,))]
    assert zonkey_filler(None, steps=7, seed=5)(masked) == [b"abcd???", b"a??bb?", b"?xy"]
    assert asked == [(1, 7, 5), (2, 7, 5)]
