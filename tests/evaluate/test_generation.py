"""Generated texts against a training text that fits on a line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zonkey.evaluate import corpus_words, generation_score, sentences, whole_sentences, words

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
    assert sentences("One. Two!\n\nThree\nfour 3.5 m? ") == ["One.", "Two!", "Three", "four 3.5 m?"]


def test_words_of_a_corpus(training: Texts) -> None:
    assert corpus_words(training) == {*["the", "cat", "sat", "on", "mat", "in", "may", "it's", "1", "200", "m", "high"]}
    assert "high" not in corpus_words(training, limit=10), "documents that begin after the limit"


def test_scores_by_hand(training: Texts) -> None:
    texts = ["The dog sat. Xyz.", "cat", "cat", "cat sat on the mat in"]  # dog and xyz are unknown
    score = generation_score(texts, corpus_words(training), training, accepts=str.islower)
    assert (score.texts, score.words, score.word_share) == (4, 12, pytest.approx(10 / 12))
    assert (score.sentences, score.sentence_share) == (5, pytest.approx(3 / 5))
    assert (score.distinct, score.copied, score.empty) == (0.5, 1.0, 0.0)
    assert (score.mean_bytes, score.least_bytes, score.most_bytes) == (11.0, 3, 21)
    assert score.std_bytes == pytest.approx(((36 + 64 + 64 + 100) / 4) ** 0.5)


def test_sentences_that_stand_whole_by_hand() -> None:
    """The first and last of each text may be cut: "he end." and "Tw" do not count."""
    texts = ["he end. The cat sat. the cat ran. Tw", "One. Two."]
    found = whole_sentences(texts, {"the", "cat", "sat"}, lambda sentence: sentence[0].isupper())
    assert (found.share, found.sentences, found.words) == (0.5, 2, pytest.approx(5 / 6))
    nothing = whole_sentences(["One. Two."], set(), bool)
    assert (nothing.share, nothing.sentences, nothing.words) == (None, 0, None)


def test_without_a_recogniser(training: Texts) -> None:
    score = generation_score(["", " "], frozenset(), training)
    assert score.sentence_share is None
    assert (score.empty, score.word_share, score.copied) == (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="at least one"):
        generation_score([], frozenset(), training)
