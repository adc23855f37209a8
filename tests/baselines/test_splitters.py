"""Cuts by hand, and the rates that splitters are set to."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.build import language
from zonkey.baselines import (
    FreeVocabulary,
    Signal,
    Splitter,
    TokenVocabulary,
    bpe_of_rate,
    bpe_splitter,
    calibrate,
    first_documents,
    fixed_stride,
    random_splitter,
    remembered,
    threshold_splitter,
    white_space,
)
from zonkey.data import Corpus

TEXT = b"A river runs to the sea, and the sea gives the rain back. " * 20
VOCABULARY = TokenVocabulary.train([TEXT], 300)
FREE = FreeVocabulary.train([TEXT], 300)


def known(*rows: list[float]) -> Signal:
    """A signal that is written down."""

    def look(texts: list[bytes]) -> list[np.ndarray]:
        assert [len(text) for text in texts] == [len(row) for row in rows]
        return [np.array(row) for row in rows]

    return look


class Documents(Corpus):
    """What is read of a split, from memory."""

    def __init__(self, documents: list[bytes]) -> None:
        self.documents, self.offsets = documents, np.cumsum([0, *map(len, documents)])

    def __getitem__(self, index: int) -> bytes:
        return self.documents[index]


def test_strides_by_hand() -> None:
    assert fixed_stride(4.0)(b"0123456789") == [0, 4, 8]
    assert fixed_stride(2.5)(b"0123456789") == [0, 2, 5, 8]
    assert fixed_stride(20.0)(b"0123456789") == [0] and fixed_stride(1.0)(b"012") == [0, 1, 2]


def test_white_space_by_hand() -> None:
    assert white_space()(b"A river,  wide\nand deep") == [0, 1, 8, 14, 18]
    assert white_space()(b" a b") == [0, 2]


def test_thresholds_by_hand() -> None:
    signal = known([1.0, 3.0, 4.0, 2.0, 3.5])
    text = b"abcde"
    assert threshold_splitter(signal, 2.5)(text) == [0, 1, 2, 4]
    assert threshold_splitter(signal, 3.2)(text) == [0, 2, 4]
    assert threshold_splitter(signal, 0.5, monotone=True)(text) == [0, 1, 2, 4]
    assert threshold_splitter(signal, 1.2, monotone=True)(text) == [0, 1, 4]


def test_the_threshold_by_hand() -> None:
    """Ten bytes in two texts: two begin anyhow, so that two bytes per segment are reached by three cuts."""
    texts = [b"abcde", b"fghij"]
    signal = known([9.0, 1.0, 2.0, 3.0, 4.0], [9.0, 5.0, 6.0, 0.5, 0.7])
    assert calibrate(signal, texts, 2.0) == pytest.approx(3.5)
    assert calibrate(signal, texts, 5.0) == pytest.approx(6.0)
    assert calibrate(signal, texts, 1.0) < 0.5
    # rises: 1-9, 1, 1, 1; 5-9, 1, -5.5, 0.2
    assert calibrate(signal, texts, 10 / 6, monotone=True) == pytest.approx(0.6)


def test_a_text_is_read_once() -> None:
    asked = []

    def count(texts: list[bytes]) -> list[np.ndarray]:
        asked.extend(texts)
        return [np.full(len(text), len(asked), dtype=float) for text in texts]

    signal = remembered(count)
    first = signal([b"ab", b"c", b"ab"])
    again = signal([b"d", b"c", b"ab"])
    assert asked == [b"ab", b"c", b"d"]
    assert [row.tolist() for row in first] == [[2.0, 2.0], [2.0], [2.0, 2.0]]
    assert [row.tolist() for row in again] == [[3.0], [2.0], [2.0, 2.0]]
    assert signal([]) == []


def test_tokenizers_read_whole_documents_up_to_a_limit() -> None:
    documents = [b"abc", b"de", b"fghi"]
    corpus = Documents(documents)
    texts = {limit: first_documents(corpus, limit) for limit in (1, 3, 4, 5, 8, 9, 100)}
    assert texts[1] == texts[3] == texts[4] == [b"abc"], "at least one"
    assert texts[5] == texts[8] == documents[:2] and texts[9] == texts[100] == documents


def test_tokens_by_hand() -> None:
    vocabulary = TokenVocabulary([("t", "h"), ("th", "e")])
    assert bpe_splitter(vocabulary)(b"the heath") == [0, 3, 4, 5, 6, 7]
    assert bpe_splitter(TokenVocabulary([]))(b"the") == [0, 1, 2]


def rate(splitter: Splitter, text: bytes = TEXT) -> float:
    return len(text) / len(splitter(text))


@pytest.mark.parametrize("wanted", [2.0, 3.3, 5.6])
def test_splitters_keep_the_rate_they_are_set_to(wanted: float) -> None:
    assert rate(fixed_stride(wanted)) == pytest.approx(wanted, rel=0.01)
    assert rate(random_splitter(wanted, 0), TEXT * 5) == pytest.approx(wanted, rel=0.05)
    model = language()
    for monotone in (False, True):
        threshold = calibrate(model.entropies, [TEXT], wanted, monotone)
        assert rate(threshold_splitter(model.entropies, threshold, monotone)) == pytest.approx(wanted, rel=0.2)


@pytest.mark.parametrize("vocabulary", [VOCABULARY, FREE], ids=["words", "free"])
def test_the_vocabulary_is_searched_for_the_rate(vocabulary: TokenVocabulary) -> None:
    """Against all numbers of merges tried one by one."""
    rates = {count: rate(bpe_splitter(vocabulary.first(count))) for count in range(len(vocabulary.merges) + 1)}
    for wanted in (1.0, 1.7, 2.5, 3.1):
        found = rates[len(bpe_of_rate(vocabulary, [TEXT], wanted).merges)]
        assert abs(found - wanted) == pytest.approx(min(abs(one - wanted) for one in rates.values()))


def test_a_rate_out_of_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert bpe_of_rate(VOCABULARY, [TEXT], 50.0).merges == VOCABULARY.merges
    assert "where 50.00 are wanted" in caplog.text


def test_random_cuts_are_repeatable_and_differ() -> None:
    one, other = random_splitter(4.0, 0), random_splitter(4.0, 1)
    assert one(TEXT) == random_splitter(4.0, 0)(TEXT) != other(TEXT)
    assert one(TEXT[:200]) != one(TEXT)[: len(one(TEXT[:200]))]


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_every_text_is_cut_from_its_beginning(text: bytes) -> None:
    model = language()
    splitters = [fixed_stride(3.5), random_splitter(3.0, 0), white_space(), bpe_splitter(VOCABULARY)]
    splitters += [threshold_splitter(model.entropies, *setting) for setting in ((7.0,), (0.1, True))]
    for splitter in [*splitters, bpe_splitter(FREE)]:
        found = list(splitter(text))
        assert found == sorted(set(found)) and found[:1] == [0][: len(text)]
        assert all(0 <= at < len(text) for at in found)


def test_rates_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bytes_per_segment is 0\.5"):
        fixed_stride(0.5)
    with pytest.raises(ValueError, match="bytes_per_segment is nan"):
        random_splitter(float("nan"), 0)
    with pytest.raises(ValueError, match="no text to set the threshold by"):
        calibrate(language().entropies, [b""], 4.0)
