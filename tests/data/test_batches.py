"""Batches: a pure function of (seed, step) that shows every byte once an epoch and pads little."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.texts import Memory
from zonkey.data import PADDING, Batches, Corpus, DataError, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from zonkey.config import DataConfig

    config = DataConfig(
        source="encyclopedia", path=None, hub_name="a/b", hub_config="", hub_revision="", text_column="text",
        id_column="id", documents=1000, seed=0, min_bytes=2, max_bytes=65536, judge=0.1, validation=0.1, test=0.1,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("corpus")
    prepare(config, path)
    return path


def rows(batches, step):
    batch = batches.at(step)
    assert batch.tokens.dtype == batch.lengths.dtype == torch.int64
    for tokens, length in zip(batch.tokens, batch.lengths, strict=True):
        assert (tokens[length:] == PADDING).all() and (tokens[:length] < 256).all() and length > 0
        yield bytes(tokens[:length].tolist())


def epoch(batches, number):
    """All pieces of an epoch."""
    step, found = 0, []
    while batches.position(step)[0] <= number:
        if batches.position(step)[0] == number:
            found.extend(rows(batches, step))
        step += 1
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=150).map(str.encode), min_size=1, max_size=12),
    st.integers(1, 6),
    st.integers(1, 200),
    st.integers(0, 2),
)
def test_an_epoch_holds_every_byte_and_ends_with_some_pieces_again(texts, batch, size, number):
    batches = Batches(Memory(texts), batch, size, seed=3)
    pieces = epoch(batches, number)
    assert all(0 < len(piece) <= size for piece in pieces)
    plan = batches._plan(number)
    whole = b"".join(batches.corpus.data[s : s + n].tobytes() for s, n in zip(plan.starts, plan.lengths, strict=True))
    assert whole == b"".join(texts)
    once = Counter(batches.corpus.data[s : s + n].tobytes() for s, n in zip(plan.starts, plan.lengths, strict=True))
    seen = Counter(pieces)
    assert not once - seen  # every piece is shown
    assert sum(seen.values()) - sum(once.values()) < batch
    if size >= 32:  # cuts are made where a character begins
        for piece in pieces:
            piece.decode()


def test_the_order_is_a_pure_function_of_seed_and_step(folder):
    corpus = Corpus(folder, "train")
    forwards = Batches(corpus, 8, 256, seed=1)
    steps = [0, 700, 3, 150, 299, 150]
    expected = {step: forwards.at(step).tokens for step in range(0, 701)}
    for step in steps:
        assert torch.equal(Batches(corpus, 8, 256, seed=1).at(step).tokens, expected[step])
    backwards = Batches(corpus, 8, 256, seed=1)
    for step in sorted(steps, reverse=True):
        assert torch.equal(backwards.at(step).tokens, expected[step])
    other = Batches(corpus, 8, 256, seed=2)
    assert any(not torch.equal(other.at(step).tokens, expected[step]) for step in range(3))


def test_cuts_fall_elsewhere_every_epoch(folder):
    batches = Batches(Corpus(folder, "train"), 8, 128, seed=0)
    first, second = (set(batches._plan(number).starts.tolist()) for number in (0, 1))
    inner = first - set(batches.corpus.offsets.tolist())
    assert len(inner & second) < 0.1 * len(inner)


@pytest.mark.parametrize("size", [512, 1024])
def test_padding_is_below_five_percent(folder, size):
    batches = Batches(Corpus(folder, "train"), 8, size, seed=0)
    step = padding = total = 0
    while batches.position(step)[0] == 0:
        tokens = batches.at(step).tokens
        padding += int((tokens == PADDING).sum())
        total += tokens.numel()
        step += 1
    assert step > 50 and padding / total < 0.05


def test_ranks_share_the_batch(folder):
    corpus = Corpus(folder, "train")
    for step in (0, 5):
        whole = Batches(corpus, 8, 256, seed=0).at(step)
        parts = [Batches(corpus, 8, 256, seed=0, rank=rank, world=4).at(step) for rank in range(4)]
        assert all(part.tokens.shape == (2, whole.tokens.shape[1]) for part in parts)
        together = torch.stack([part.tokens for part in parts], dim=1).flatten(0, 1)
        assert torch.equal(together, whole.tokens)
        assert torch.equal(torch.stack([p.lengths for p in parts], dim=1).flatten(), whole.lengths)


@pytest.mark.parametrize(("batch", "size"), [(4, 40), (8, 512)])
def test_bytes_read_are_those_shown_without_padding(folder, batch, size):
    """Whatever the epoch, for the ranks together, and without moving what `at` gives."""
    corpus = Corpus(folder, "judge")
    world = [Batches(corpus, batch, size, seed=2, rank=rank, world=2) for rank in range(2)]
    last = next(step for step in range(10**6) if world[0].position(step)[0] == 2) + 3
    shown = [sum(len(row) for part in world for row in rows(part, step)) for step in range(last)]
    padded = [sum(part.at(step).tokens.numel() for part in world) for step in range(last)]
    assert sum(shown) < sum(padded) and sum(shown) > 2 * corpus.bytes  # two epochs, and pieces again
    for steps in (0, 1, last // 2, last - 1, last):
        assert world[1].read(steps) == Batches(corpus, batch, size, seed=2).read(steps) == sum(shown[:steps])
    assert torch.equal(world[0].at(1).tokens, Batches(corpus, batch, size, 2, 0, 2).at(1).tokens)


def test_a_corpus_smaller_than_a_batch_is_repeated():
    batches = Batches(Memory([b"only one"]), 4, 64, seed=0)
    assert list(rows(batches, 9)) == [b"only one"] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"bytes": 0}, "bytes is 0"),
        ({"world": 3}, "does not divide over 3"),
        ({"rank": 2, "world": 2}, "rank is 2"),
    ],
)
def test_bad_sizes_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        Batches(Memory([b"text"]), **({"batch": 8, "bytes": 64, "seed": 0} | changes))


def test_a_negative_step_and_an_empty_corpus_are_refused():
    with pytest.raises(DataError, match="steps count from 0"):
        Batches(Memory([b"text"]), 1, 64, seed=0).at(-1)
    with pytest.raises(DataError, match="steps is -1"):
        Batches(Memory([b"text"]), 1, 64, seed=0).read(-1)
    with pytest.raises(DataError, match="no documents"):
        Batches(Memory([]), 1, 64, seed=0)


def test_a_step_takes_less_than_three_milliseconds(folder):
    batches = Batches(Corpus(folder, "train"), 16, 1024, seed=0)
    batches.at(0)
    start = time.perf_counter()
    for step in range(30):
        batches.at(step)
    assert (time.perf_counter() - start) / 30 < 0.003
