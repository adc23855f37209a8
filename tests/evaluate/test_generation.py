"""Generated texts against a training text that fits on a line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import zonkey.evaluate.generation
from zonkey.data import encyclopedia
from zonkey.evaluate import (
    WholeSentences,
    corpus_words,
    generation_score,
    inner_sentences,
    returned_sentences,
    sentences,
    whole_sentences,
    words,
)

DOCUMENTS = ["The cat sat on the mat in May.", "It's 1,200 m high."]


@pytest.fixture
def corpus() -> SimpleNamespace:
    """What the metrics read of a corpus."""
    data = "".join(DOCUMENTS).encode()
    return SimpleNamespace(
        text=DOCUMENTS.__getitem__,
        offsets=np.array([0, len(DOCUMENTS[0]), len(data)]),
        data=np.frombuffer(data, dtype=np.uint8),
        __len__=lambda: 2,
    )


class Texts(SimpleNamespace):
    def __len__(self) -> int:
        return len(DOCUMENTS)


@pytest.fixture
def training(corpus: SimpleNamespace) -> Texts:
    return Texts(text=corpus.text, offsets=corpus.offsets, data=corpus.data)


def test_words_and_sentences() -> None:
    assert words("It's a well-known 'Mat'.") == ["it's", "a", "well-known", "mat"]
    text = "One. Two of them! It is so.\n\nThree\nfour 3.5 m? A well-known day. "
    assert sentences(text) == ["Two of them!", "It is so.", "four 3.5 m?", "A well-known day."]


def test_a_heading_is_no_sentence() -> None:
    """The grammar accepts headings, which a text of nothing but random words can hit."""
    assert encyclopedia.is_sentence("History") and sentences("History\n\nGeography and climate") == [
        "Geography and climate"
    ]


def test_words_of_a_corpus(training: Texts) -> None:
    assert corpus_words(training) == {*["the", "cat", "sat", "on", "mat", "in", "may", "it's", "1", "200", "m", "high"]}
    assert "high" not in corpus_words(training, limit=10), "documents that begin after the limit"


def test_a_word_may_have_to_stand_more_than_once(training: Texts) -> None:
    assert corpus_words(training, least=2) == {"the"}
    assert corpus_words(training, least=3) == frozenset()
    texts = ["The cat the the"]
    shares = [generation_score(texts, corpus_words(training, least=least), training) for least in (1, 2, 3)]
    assert [(one.word_share, one.type_share) for one in shares] == [(1.0, 1.0), (3 / 4, 1 / 2), (0.0, 0.0)]


def test_scores_by_hand(training: Texts) -> None:
    texts = ["The dog sat. Xyz.", "cat", "cat", "cat sat on the mat in"]  # dog and xyz are unknown
    score = generation_score(texts, corpus_words(training), training, accepts=str.islower)
    assert (score.texts, score.words, score.word_share) == (4, 12, pytest.approx(10 / 12))
    # the, dog, sat, xyz, cat, on, mat, in: the many cats count once.
    assert (score.types, score.type_share) == (8, 6 / 8)
    # "The dog sat." and the last; "Xyz." and "cat" are too short.
    assert (score.sentences, score.sentence_share) == (2, 1 / 2)
    assert (score.distinct, score.copied, score.empty) == (0.5, 1.0, 0.0)
    assert (score.mean_bytes, score.least_bytes, score.most_bytes) == (11.0, 3, 21)
    assert score.std_bytes == pytest.approx(((36 + 64 + 64 + 100) / 4) ** 0.5)
    assert (score.apart, score.nearest_max) == (0.5, 1.0)


def test_texts_that_differ_in_a_letter_are_alike(training: Texts) -> None:
    """Like no other to the letter, all three, and yet the same."""
    score = generation_score(["the cat sat", "the cat sits", "the cat sat."], frozenset(), training)
    assert (score.distinct, score.apart) == (1.0, 1 / 3)
    # One letter more of 12; and "sat" to "sits" takes two edits of 12, from either.
    assert score.nearest_max == pytest.approx(11 / 12)
    assert score.nearest_mean == pytest.approx((11 / 12 + 10 / 12 + 11 / 12) / 3)
    alone = generation_score(["the cat sat"], frozenset(), training)
    assert alone.nearest_mean is alone.nearest_max is None and alone.apart == 1.0


def test_sentences_that_stand_whole_by_hand() -> None:
    """The first and last of each text may be cut: "the end of it." and "Tw" do not count; "Oh no." is too short."""
    texts = ["the end of it. The cat sat. Oh no. the cat ran. Tw", "One of them. Two of them."]
    assert inner_sentences(texts) == ["The cat sat.", "the cat ran."]
    found = whole_sentences(texts, {"the", "cat", "sat"}, lambda sentence: sentence[0].isupper())
    assert found == WholeSentences(0.5, 2, pytest.approx(5 / 6))
    nothing = whole_sentences(["One. Two."], set(), bool)
    assert nothing == WholeSentences(None, 0, None)
    assert whole_sentences(texts, {"the"}) == WholeSentences(None, 2, 2 / 6), "without a grammar words still count"


def test_sentences_that_come_back_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what comes back all counts, however it looks: two sentences went up, and "cxt sat" is none."""

    def reconstruction(model: object, texts: list[str], level: int) -> SimpleNamespace:
        assert (texts, level) == (["The cat sat.", "The cat ran."], 1)
        return SimpleNamespace(results=("cxt sat", "The cat ran."))

    monkeypatch.setattr(zonkey.evaluate.generation, "reconstruction", reconstruction)
    said = ["The cat sat.", "The cat ran."]
    found = returned_sentences(None, said, 1, {"the", "cat", "sat", "ran"}, said.__contains__)
    assert found == WholeSentences(1 / 2, 2, 4 / 5)


def test_without_a_recogniser(training: Texts) -> None:
    score = generation_score(["", " "], frozenset(), training)
    assert score.sentence_share is None
    assert (score.empty, score.word_share, score.copied) == (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="at least one"):
        generation_score([], frozenset(), training)
