"""Everything measured of generated texts, on a corpus of two sentences and a judge of four prices."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

import zonkey.evaluate.writing
from tests.evaluate.judges import Unigram
from tests.model.build import config
from zonkey import Zonkey, generate
from zonkey.evaluate import (
    Yardstick,
    bits_per_byte,
    heldout,
    index_text,
    inner_words,
    network_passes,
    pieces,
    random_letters,
    shuffled,
    writing_score,
    yardstick,
)
from zonkey.evaluate.writing import mauve_score
from zonkey.variants import varied

DOCUMENT = "aa ab. ba aab"


class Corpus(SimpleNamespace):
    """What the metrics read of a corpus."""

    def __len__(self) -> int:
        return 1


@pytest.fixture
def training() -> Corpus:
    data = np.frombuffer(DOCUMENT.encode(), dtype=np.uint8)
    return Corpus(text=[DOCUMENT].__getitem__, offsets=np.array([0, len(data)]), data=data)


def test_bits_per_byte_by_hand() -> None:
    assert bits_per_byte(Unigram(), [b"ab", b"a ", b""]) == (1 + 2 + 1 + 3) / 4
    assert bits_per_byte(Unigram(), [b""]) is None


def test_scores_by_hand(training: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    known = frozenset({"aa", "ab", "ba", "aab"})
    halves = lambda text: [0, len(text) // 2]  # noqa: E731
    reference = ("aa ab", "ba aab")
    index = index_text(training.data)
    against = Yardstick(Unigram(), known, training, index, halves, reference, str.islower)
    score = writing_score(["aa aa", "ba. xa"], against, "by hand", steps=3, passes=5)
    assert (score.source, score.steps, score.passes, score.texts) == ("by hand", 3, 5, 2)
    assert (score.word_share, score.type_share) == (3 / 4, 2 / 3)  # aa aa ba, not xa
    assert score.bits == (4 * 1 + 3 + 2 + 1 + 8 + 3 + 8 + 1) / 11
    # Words aa aa, ba xa: three of four differ, and both pairs; no text has three words or eight bytes.
    assert (score.distinct1, score.distinct2, score.distinct3, score.distinct8_bytes) == (3 / 4, 1.0, None, None)
    assert score.distinct4 is score.distinct4_ratio is None
    # "aa a" stands in the training text, "aa aa" does not; of the other no more than "ba": 4 of 5 bytes, 2 of 6.
    assert (score.copy_mean, score.copy_max, score.copy_share) == (3.0, 4, pytest.approx((4 / 5 + 2 / 6) / 2))
    assert score.segment_distance == 0.0  # 2, 3, 3, 3 in both
    # Words of 2, 2, 2, 2 letters against 2, 2, 2, 3; no sentence has three words.
    assert score.word_distance == pytest.approx(distance((1, 0), (3 / 4, 1 / 4)))
    assert score.sentence_distance is None and score.sentences == 0
    assert score.mauve is None


def distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The Jensen-Shannon distance as it is written."""
    total = 0.0
    for p, q in zip(one, other, strict=True):
        m = (p + q) / 2
        total += sum(v * np.log2(v / m) / 2 for v in (p, q) if v)
    return float(np.sqrt(total))


def test_the_reference_scores_as_itself(training: Corpus) -> None:
    against = yardstick(Unigram(), training, ["aa ab ba aab ab", "ba ba aab ba ba"], [5, 5, 8], lambda text: [0])
    assert against.known == {"aa", "ab", "ba", "aab"} and against.accepts is None
    score = writing_score(against.reference, against, "reference")
    assert (score.segment_distance, score.word_distance, score.sentence_distance) == (0.0, 0.0, 0.0)
    assert score.sentence_share is None


def test_lengths_of_sentences_by_hand(training: Corpus) -> None:
    """Of 3, 4 and 3 words against 3 and 5; what is shorter does not count."""
    against = yardstick(Unigram(), training, ["a b c. d e f g h"], [16], lambda text: [0])
    score = writing_score(["a b c. a b c d. ab.", "a b. c d e"], against, "lengths")
    assert score.sentence_distance == pytest.approx(distance((2 / 3, 1 / 3, 0), (1 / 2, 0, 1 / 2)))


def test_words_that_are_rare_may_not_count(training: Corpus) -> None:
    known = [yardstick(Unigram(), training, ["aa"], [2], lambda text: [0], least_count=n).known for n in (1, 2)]
    assert known == [{"aa", "ab", "ba", "aab"}, frozenset()]


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize(("steps", "block"), [(1, 1), (2, 3), (5, 8), (4, 9)])
def test_passes_are_those_that_sampling_takes(objective: str, steps: int, block: int) -> None:
    """Counted in the networks themselves; with ``ddmm``, one more of the denoiser reads the result."""
    built = Zonkey(varied(config(2, objective), {"model.flow.block": block}).model).eval()
    passed: list[object] = []
    for part in filter(None, (built.levels[1].flow, built.levels[1].denoiser, built.levels[1].compressor)):
        part.register_forward_hook(lambda part, *_: passed.append(part))
    generate(built, 2, steps=steps, seed=0)
    assert len(passed) - (objective == "ddmm") == network_passes(built, steps)


def test_distinct_beside_the_reference(training: Corpus) -> None:
    index = index_text(training.data)
    against = Yardstick(Unigram(), frozenset(), training, index, lambda text: [0], ("a b c d e", "f g h i"), None)
    score = writing_score(["a b c d", "a b c d"], against, "twice the same")
    assert (score.distinct4, score.distinct4_ratio, score.distinct8_bytes) == (1 / 2, 1 / 2, None)


def test_mauve_is_given_the_judges_features(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def compute_mauve(**options: object) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(mauve=np.float64(0.25))

    package = SimpleNamespace(compute_mauve=compute_mauve)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(zonkey.evaluate.writing.importlib, "import_module", lambda name: package)
    assert mauve_score(Unigram(), [b"aa", b""], [b"bab", b"b"]) == 0.25
    assert asked["p_features"].tolist() == [[3, 1], [1, 0]] and asked["q_features"].tolist() == [[2, 2]]
    assert mauve_score(Unigram(), [b""], [b"bab"]) is None


def test_pieces_hold_whole_words_of_the_wanted_length() -> None:
    text = "one two three four five six"
    for length in (3, 8, 12, 27, 90):
        (piece,) = pieces([text], [length], seed=1)
        assert (piece in text and abs(len(piece) - length) <= 3) or piece == text
        assert set(piece.split()) <= set(text.split())
    found = {pieces([text, "x y"], [8], seed)[0] for seed in range(60)}
    assert found == {"one two", " two three", " three", " four five", " five six"}
    assert pieces([text], [5] * 9, 1) == pieces([text], [5] * 9, 1) != pieces([text], [5] * 9, 2)
    assert pieces(["한국어 문장"], [7], 0)[0] in {"한국어", " 문장"}, "bytes count, and no letter is cut"
    with pytest.raises(ValueError, match="at least one text"):
        pieces([""], [3], 0)


def test_no_text_is_cut_twice_while_others_fit() -> None:
    texts = [f"{letter * 4} {letter * 4} {letter * 4}" for letter in "abcdef"]
    for seed in range(20):
        found = pieces(texts, [9] * 6, seed)
        assert {piece.strip()[0] for piece in found} == set("abcdef")
        assert len({piece.strip()[0] for piece in pieces(texts, [9] * 9, seed)}) == 6, "then they are taken again"
    assert pieces([*texts, "a much longer text"], [15, 15], 0)[0].strip()[0] in "aml", "none but the long one fits"


def test_words_that_may_be_cut_are_left_out() -> None:
    assert inner_words("rds that are whole, and tw") == " that are whole, and"
    assert inner_words("ne\ntwo  thre") == "\ntwo"
    assert inner_words("one two") == inner_words("one") == inner_words("") == ""


def test_random_letters_are_as_many() -> None:
    (found,) = random_letters(["The cat, in 1,200 m."], seed=0)
    assert [len(word) for word in found.split()] == [3, 4, 2, 5, 2]
    assert [c for c in found if not c.isalpha()] == [" ", ",", " ", " ", ",", " ", "."]
    assert found.islower() and found != random_letters(["The cat, in 1,200 m."], seed=1)[0]
    (many,) = random_letters(["x" * 2600], seed=0)
    assert all(60 < many.count(letter) < 145 for letter in "abcdefghijklmnopqrstuvwxyz")


def test_documents_that_choices_were_made_on_are_left_out() -> None:
    class Split(list):
        split = "test"
        text = list.__getitem__

    corpus = Split(["one", "two", "three", "four"])
    assert heldout(corpus) == ["one", "two", "three", "four"]
    assert heldout(corpus, 1, 2) == ["two", "three"] and heldout(corpus, 2) == heldout(corpus, 2, 9) == [
        "three",
        "four",
    ]
    for skip, count in ((4, None), (9, 3), (0, 0)):
        with pytest.raises(ValueError, match=rf"the test split has 4 documents, and {skip} are skipped"):
            heldout(corpus, skip, count)


def test_shuffled_words_keep_their_places() -> None:
    text = " one two\n\nthree  four five"
    (mixed,) = shuffled([text], seed=0)
    assert mixed != text and sorted(mixed.split()) == sorted(text.split())
    assert mixed[0] == " " and mixed.count("\n\n") == 1 and mixed.count("  ") == 1
    assert len(mixed) == len(text)
