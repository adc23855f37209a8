"""Bytes and byte-pair tokens: any text survives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonkey.baselines import ByteVocabulary, FreeVocabulary, TokenVocabulary

TEXT = "The sea, the sea! Das Meer: 바다, 12 fathoms deep.\n\n The sea...".encode()
TRAINED = TokenVocabulary.train([TEXT] * 3, 280)
FREE = FreeVocabulary.train([TEXT] * 3, 280)


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_any_bytes_survive(text: bytes) -> None:
    for vocabulary in (ByteVocabulary(), TRAINED, TokenVocabulary([]), FREE):
        ids = vocabulary.encode([text])[0]
        assert vocabulary.decode(ids.tolist()) == text
        assert vocabulary.sizes[ids].sum() == len(text)


def test_merges_by_hand() -> None:
    """In "aaab aaab", the pair a a is the commonest; then aa with the a after it, or the a with the b."""
    vocabulary = TokenVocabulary.train([b"ab ab ab"], 258)
    assert vocabulary.merges == (("a", "b"), (" ", "ab"))
    assert [vocabulary.pieces[one] for one in vocabulary.encode([b"ab abba"])[0]] == [b"ab", b" ab", b"b", b"a"]


def test_tokens_stay_within_words() -> None:
    vocabulary = TokenVocabulary.train([b"of the sea 12of the sea 12, of the sea 12 "] * 20, 2000)
    pieces = {vocabulary.pieces[one] for one in vocabulary.encode([b"of the sea 12of the sea 12, of"])[0]}
    assert pieces == {b"of", b" the", b" sea", b" 12", b",", b" of"}


def test_free_tokens_by_hand() -> None:
    """In three texts "ab ab", ab stands six times, then " ab" three times, and at last the whole text."""
    vocabulary = FreeVocabulary.train([b"ab ab"] * 3, 9999)
    assert vocabulary.merges == (("a", "b"), (" ", "ab"), ("ab", " ab"))
    assert [vocabulary.pieces[one] for one in vocabulary.encode([b"ab abba ab"])[0]] == [b"ab ab", b"b", b"a", b" ab"]
    first = vocabulary.first(2)
    assert isinstance(first, FreeVocabulary) and first.merges == vocabulary.merges[:2]
    with pytest.raises(ValueError, match="a vocabulary of 255 cannot hold the 256 bytes"):
        FreeVocabulary.train([b"ab"], 255)


def test_free_tokens_reach_beyond_words_and_grow_longer() -> None:
    text = b"out of the sea. Out of the river. " * 20
    inside, free = (kind.train([text], 300) for kind in (TokenVocabulary, FreeVocabulary))
    assert not any(b" " in piece.strip() for piece in inside.pieces)
    assert any(b" " in piece.strip() for piece in free.pieces)
    assert len(free.encode([text])[0]) < len(inside.encode([text])[0])


def test_fewer_merges_are_those_of_a_smaller_vocabulary() -> None:
    assert TRAINED.first(20).merges == TokenVocabulary.train([TEXT] * 3, 276).merges
    assert len(TRAINED.sizes) == 280 and TRAINED.sizes[:256].tolist() == [1] * 256
    assert TokenVocabulary.train([TEXT] * 3, 280).merges == TRAINED.merges
    assert len(TokenVocabulary.train([TEXT] * 3, 9999).sizes) < 400, "words have no more pairs"


def test_a_vocabulary_survives_its_file(tmp_path: Path) -> None:
    TRAINED.save(tmp_path)
    again = TokenVocabulary.load(tmp_path / "tokenizer.json")
    assert again.merges == TRAINED.merges and again.encode([TEXT])[0].tolist() == TRAINED.encode([TEXT])[0].tolist()


def test_what_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a vocabulary of 255 cannot hold the 256 bytes"):
        TokenVocabulary.train([TEXT], 255)
    for content in ("", "{}", '{"model": {"merges": [1]}}'):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ValueError, match="missing or damaged"):
            TokenVocabulary.load(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match="missing or damaged"):
        TokenVocabulary.load(tmp_path / "none.json")
