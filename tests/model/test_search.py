"""Beam search through gaps: words that agree with what is known, weighed by what a flow expects."""

from __future__ import annotations

import math

import pytest
import torch

from tests.model.build import model, random, segments_of
from zonkey.flow import Candidates, Flow
from zonkey.generate.search import AHEAD, UNKNOWN, Search, _Path, _Window, _Words, _words

UNSEEN = 0.05  # chance that the next word is none of these
WORDS = [b"the ", b"cat ", b"car ", b"runs", b"stop", None, b""]
WIDTH = 8
SPELT = b"spelt"  # stands for all that are no word


class Expecting(Flow):
    """Expects words by a table: chance of each after the window's last one (None: of a window that begins)."""

    def __init__(self, table: dict[bytes | None, dict[bytes, float]], window: int = 8) -> None:
        torch.nn.Module.__init__(self)
        self.table, self.window, self.block, self.end = table, window, 1, vectors()[-1]

    unread = (None,)

    def read(self, known, seen, start, real):
        assert known.shape[1] == 1 and (seen[0] is None or torch.equal(real.sum(dim=1), start))
        row = known[:, None]
        return [(row, row) if seen[0] is None else tuple(torch.cat([past, row], dim=2) for past in seen[0])]

    def forward(self, x, t, estimate, known, start, seen, real):
        """All that was read is seen again."""
        assert (t == 1).all() and not estimate.any() and (start < self.window).all()
        assert not start.any() if seen[0] is None else torch.equal(real.sum(dim=1), start)
        asked = []
        for row, at in enumerate(start.tolist()):
            last = None
            if at:
                likeness = vectors() @ seen[0][0][row, 0, at - 1]
                last = WORDS[int(likeness.argmax())] if likeness.any() else SPELT
            chance = self.table.get(last, {})
            logits = torch.tensor([math.log(chance.get(word, UNSEEN if word is None else 1e-4)) for word in WORDS])
            asked.append((logits[:, None] * vectors()).sum(dim=0) / WIDTH**0.5)  # an inner product gives it back
        return torch.stack(asked)[:, None]


def vectors() -> torch.Tensor:
    return WIDTH**0.5 * torch.eye(WIDTH)[: len(WORDS)]


def search(expects: Flow, before: bytes = b"") -> Search:
    """A search in WORDS, where nothing is known of the text before a gap but where the last word begins.

    Other words are spelt by an untrained level 0, to which all letters are alike.
    """
    rows = torch.full((len(WORDS), 4), -2)
    for at, word in enumerate(WORDS):
        rows[at, : len(word or b"")] = torch.tensor(list(word or b""))
    sizes = torch.tensor([len(word or b"") for word in WORDS])
    words = _Words(
        expects,
        Candidates(vectors(), torch.zeros(len(WORDS)), unknown=len(WORDS) - 2),
        torch.arange(len(WORDS)),
        vectors(),
        rows,
        sizes,
        vectors()[:1],
        _Window(),
    )
    made = Search(model(1), random())
    made.words, made.letters, made.level = words, made.words, 1
    made._before = lambda known, level: (len(before), ())
    made._compressed = lambda word: torch.zeros(WIDTH)
    return made


def holes(text: str) -> list[int]:
    return [UNKNOWN if letter == "_" else ord(letter) for letter in text]


def test_the_likeliest_word_that_fits_is_taken() -> None:
    table = {None: {b"the ": 0.9}, b"the ": {b"stop": 0.6, b"cat ": 0.3, b"car ": 0.1}}
    assert search(Expecting(table)).fill([holes("the ____")])[0][0] == b"the stop"
    assert search(Expecting(table)).fill([holes("the c___")])[0][0] == b"the cat "
    assert search(Expecting(table)).fill([holes("the __r_")])[0][0] == b"the car "


def test_what_follows_has_its_say() -> None:
    table = {
        None: {b"the ": 1.0},
        b"the ": {b"cat ": 0.3, b"car ": 0.6},
        b"cat ": {b"runs": 0.9},
        b"car ": {b"stop": 0.9},
    }
    assert search(Expecting(table)).fill([holes("the ca__runs")])[0][0] == b"the cat runs"
    assert search(Expecting(table)).fill([holes("the ca__stop")])[0][0] == b"the car stop"


def test_its_score_is_the_mean_log_probability_of_a_byte() -> None:
    table = {None: {b"the ": 0.8, b"runs": 0.2}, b"the ": {b"cat ": 0.75, b"car ": 0.25}}
    total = (sum(table[word].values()) + 4e-4 + UNSEEN for word in (None, b"the "))
    want = math.log(0.8 / next(total)) + math.log(0.75 / next(total))
    text, score = search(Expecting(table)).fill([holes("the ____")])[0]
    assert text == b"the cat " and score == pytest.approx(want / 8, abs=1e-5)


def test_segments_end_and_others_begin() -> None:
    table = {None: {b"the ": 1.0}, b"the ": {b"cat ": 1.0}, b"cat ": {b"": 1.0}}
    assert search(Expecting(table)).fill([holes("the cat ________")])[0][0] == b"the cat the cat "


@pytest.mark.parametrize("window", [1, 2])
def test_a_full_window_is_followed_by_a_new_one(window: int) -> None:
    table = {None: {b"the ": 1.0}, b"the ": {b"cat ": 1.0}, b"cat ": {b"runs": 1.0}}
    want = {1: b"the the the ", 2: b"the cat the "}[window]
    assert search(Expecting(table, window)).fill([holes("_" * 12)])[0][0] == want


def test_who_expects_nothing_but_ends_comes_to_one() -> None:
    table = {word: {b"": 1.0} for word in WORDS}
    assert len(search(Expecting(table)).fill([holes("the ____ ____")])[0][0]) == 13


def test_unknown_words_are_spelt_and_the_others_are_still_words() -> None:
    """Before a gap, behind it, and at its end; what the flow expects after a word that it does not know counts."""
    table = {None: {b"the ": 1.0}, b"the ": {b"cat ": 0.6, b"car ": 0.4}, SPELT: {b"the ": 0.5, b"runs": 0.5}}
    table |= {animal: {b"runs": 1.0} for animal in (b"cat ", b"car ")}
    assert search(Expecting(table)).fill([holes("zzz the ____runs")])[0][0] == b"zzz the cat runs"
    assert search(Expecting(table)).fill([holes("the c___zzzzruns")])[0][0] == b"the cat zzzzruns"
    found, _ = search(Expecting(table)).fill([holes("the ________zz")])[0]
    assert found[4:8] == b"cat ", "a gap may end within a word that is spelt"


def test_a_spelt_word_is_compressed_as_a_segment_by_itself() -> None:
    built, word = model(2), b"river"
    x, lengths = built.embed([word.decode()])
    level = built.levels[0]
    segments = segments_of(torch.full((1, 5), -30.0), lengths, level.config.window, None)
    want = level.compress(x, segments)[0]
    made = Search(built, random())
    torch.testing.assert_close(made._compressed(word), want, atol=1e-4, rtol=1e-4)
    assert made._compressed(word) is made._compressed(word), "it is compressed once"


def test_no_word_is_longer_than_its_window() -> None:
    built = model(2)
    made, longest = Search(built, random()), built.levels[0].config.window
    for size in (longest - 2, longest - 1):
        asking = made._spelt([UNKNOWN] * 3 * longest, [_Path(size, b"", 0.0, _Window(), b"a" * size)])
        with pytest.raises(StopIteration) as end:
            asking.send(made._chances(*next(asking)))
        paths = end.value.value
        assert all(path.at == size for path in paths if path.spelt is None)
        assert ([path.spelt for path in paths] == [None]) == (size == longest - 1), "nothing but its end"


def test_texts_that_are_searched_side_by_side_are_filled_as_each_alone() -> None:
    texts = [list(b"The ") + [UNKNOWN] * 6 + list(b" of France"), list(b"It ends in ") + [UNKNOWN] * 9, list(b"none")]
    made = Search(model(2), random())
    together, alone = made.fill(texts * 12), [made.fill([text])[0] for text in texts]
    assert [text for text, _ in together] == 12 * [text for text, _ in alone]
    assert [score for _, score in together] == pytest.approx(12 * [score for _, score in alone], abs=1e-4)


def test_where_no_word_agrees_bytes_do() -> None:
    """The first gap has no word, the second has; a text goes on behind a gap that no word agrees with."""
    table = {None: {b"the ": 1.0}, b"the ": {b"cat ": 1.0}}
    found, _ = search(Expecting(table)).fill([holes("x_yz")])[0]
    assert found[:1] == b"x" and found[2:] == b"yz"
    found, _ = search(Expecting(table)).fill([holes("the c___xxxx")])[0]
    assert found == b"the cat xxxx"


def test_only_so_much_of_what_follows_counts() -> None:
    """Words agree up to the limit and not behind it."""
    table = {
        None: {b"the ": 1.0},
        b"the ": {b"cat ": 0.4, b"car ": 0.6},
        b"cat ": {b"cat ": 1.0},
        b"car ": {b"stop": 0.9, b"cat ": 0.1},
    }
    text = "the ca__" + "cat " * (AHEAD // 4)
    assert search(Expecting(table)).fill([holes(text + "zzzz")])[0][0].startswith(b"the cat ")


def test_words_are_the_vocabularys_and_bytes_the_alphabet() -> None:
    built = model(2)
    flow = built.levels[1].flow
    flow.vocabulary[3] = flow.end
    words = _words(built, 1, random())
    strings = [bytes(row[: int(size)].tolist()) for row, size in zip(words.bytes, words.sizes, strict=True)]
    decoded = built.levels[0].decode(flow.vocabulary[:, None], torch.ones(len(flow.vocabulary), dtype=torch.long))
    read = built.read_bytes(decoded.x, decoded.lengths)
    for at, string in enumerate(words.string.tolist()[:-2]):
        assert strings[string] == (b"" if at == 3 else read[at])
    assert strings[-2:] == [b"", b""] and len(set(strings)) == len(strings) - 1
    assert words.string.tolist().count(len(strings) - 2) == 1 == (words.string[-2:] == len(strings) - 2).sum()
    letters = _words(built, 0, random())
    assert sorted(letters.bytes[:-1, 0].tolist()) == list(range(256)) and letters.sizes.tolist() == [1] * 256 + [0]


def test_a_string_of_several_candidates_stands_for_the_commonest() -> None:
    built = model(2)
    flow = built.levels[1].flow
    flow.vocabulary[1:4] = flow.vocabulary[0] + 1e-3 * flow.vocabulary[1:4]
    flow.prior[:4] = torch.tensor([0.0, 1.0, 3.0, 2.0])
    words = _words(built, 1, random())
    assert len(words.string[:4].unique()) == 1
    assert torch.equal(words.vectors[words.string[0]], flow.vocabulary[2])


def test_it_begins_where_the_last_segment_does() -> None:
    built = model(2)
    made, text = Search(built, random()), b"The river runs to the sea and on"
    begin, window = made._before(text, 1)
    below, above = built.segment(text.decode()).levels
    assert begin == below.starts[-1]
    inside = [start for start in below.starts[:-1] if start >= above.starts[-1]]
    assert len(window) == len(inside)
    vectors = built.encode([text.decode()], 0).vectors[0]
    if inside:
        torch.testing.assert_close(torch.stack(window), vectors[below.starts.index(inside[0]) : -1])
    begin, window = made._before(text, 0)
    assert begin == len(text) and len(window) == len(text) - below.starts[-1]
