"""Bytes to text and back: nothing is lost, and what cannot be bytes is refused."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.cases import CASES, one_sentence
from tests.model.build import model
from zonkey import Zonkey
from zonkey.data.shards import cut_text
from zonkey.text import to_tokens

pytestmark = pytest.mark.usefixtures("unchecked")

ODD = "a \n\r\t\0\x7f\x85é바🌊\u0301\u200d\u202e\u2028\ufeff\ufffd\uffff\U0010ffff"
texts = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from(ODD), max_size=40),
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", errors="replace")),
)


@functools.cache
def built(seed: int) -> Zonkey:
    return model(1, seed=seed)


@CASES
@given(st.lists(texts, max_size=5), st.integers(2, 100))
def test_texts_become_their_bytes_or_are_refused(rows: list[str], limit: int) -> None:
    sizes = [len(row.encode()) for row in rows]
    bad = [number for number, size in enumerate(sizes) if not 2 <= size <= limit]
    if not rows or bad:
        with pytest.raises(ValueError) as caught:
            to_tokens(rows, limit)
        one_sentence(caught.value, *([f"text {bad[0]} has {sizes[bad[0]]} bytes", str(limit)] if bad else ["list"]))
        return
    tokens, lengths = to_tokens(rows, limit)
    assert lengths.tolist() == sizes and tokens.shape == (len(rows), max(sizes)) and tokens.dtype == torch.long
    for row, size, text in zip(tokens, sizes, rows, strict=True):
        assert bytes(row[:size].tolist()).decode() == text and not row[size:].any()


@CASES
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), st.integers(0, 3), st.floats(1e-3, 1e3))
def test_vectors_of_any_bytes_are_read_as_a_decoder_reads_the_bytes(rows: list[bytes], seed: int, size: float) -> None:
    """Of whatever length the vectors are: the nearest direction counts."""
    network = built(seed)
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(list(row)) for row in rows], batch_first=True)
    with torch.no_grad():
        found = network.read(size * torch.nn.functional.normalize(network.codebook, dim=-1)[ids], lengths)
    assert found == [row.decode("utf-8", errors="replace") for row in rows]


@CASES
@given(st.lists(texts.filter(lambda text: len(text.encode()) >= 2), min_size=1, max_size=4), st.integers(0, 3))
def test_every_text_survives_the_embedding(rows: list[str], seed: int) -> None:
    with torch.no_grad():
        assert built(seed).read(*built(seed).embed(rows)) == rows


@CASES
@given(texts, st.integers(1, 80))
def test_a_text_that_is_cut_stays_text(text: str, limit: int) -> None:
    data = text.encode()
    cut = cut_text(data, limit)
    assert data.startswith(cut) and len(cut) <= limit
    assert cut == data or len(cut) > limit - 4
    if limit >= 4 or cut == data:
        cut.decode("utf-8")


@pytest.mark.parametrize("text", ["\ud800", "an \udcff argument that was no UTF-8"])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text 1 ") as caught:
        to_tokens(["fine", text], 100)
    assert type(caught.value) is ValueError
