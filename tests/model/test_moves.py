"""Begins that are moved to where most calls for one, and what the predictor takes for one outcome."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.build import TEXTS, bytes_batch, config, level_config, losses, model, random
from zonkey import Zonkey
from zonkey.config import ConfigError
from zonkey.existence import real_positions
from zonkey.phases import splitting, unforeseen
from zonkey.predictor import Predictor, _nats
from zonkey.sphere import sphere_noise
from zonkey.splitter import CERTAIN, Splitter
from zonkey.train import train_level
from zonkey.variants import varied

WIDTH, MOVES = 16, 2


def splitter(moved: int = 0) -> Splitter:
    torch.manual_seed(0)
    made = Splitter(level_config(width=WIDTH, splitter_moves=MOVES, target_rate=0.2))
    made.moved.fill_(moved)
    return made


@given(st.integers(-MOVES, MOVES), st.integers(3, 12))
def test_what_is_found_for_one_position_holds_for_another(moved: int, length: int) -> None:
    x, real = sphere_noise((2, 12, WIDTH), random()), real_positions(torch.tensor([length, 12]), 12)
    there, still = splitter(moved)(x, real), splitter()(x, real)
    for row, size in enumerate((length, 12)):
        for at in range(size):
            inside = 0 <= at - moved < size
            assert there[row, at] == (still[row, at - moved] if inside else -CERTAIN)


@pytest.mark.parametrize("distance", range(-MOVES, MOVES + 1))
def test_begins_settle_where_it_surprises_most(distance: int) -> None:
    made, real = splitter(), torch.ones(3, 30, dtype=torch.bool)
    begins = torch.zeros(3, 30, dtype=torch.bool)
    begins[:, 5::7] = True
    surprise = begins.roll(distance, 1).float() + 0.1 * torch.rand(3, 30, generator=random())
    for _ in range(3):
        made.observe(torch.where(begins, 8.0, -8.0), surprise, real)
    made.settle()
    assert made.moved == distance
    made.settle()
    assert made.moved == distance, "nothing was seen since"


def test_the_ends_of_texts_and_padding_have_no_say() -> None:
    made, real = splitter(), real_positions(torch.tensor([10]), 20)
    logits, surprise = torch.full((1, 20), -30.0), torch.zeros(1, 20)
    logits[:, [0, 1, 8, 9, 15]] = 30.0
    surprise[:, [0, 1, 2, 7, 9, 14]] = 5.0
    made.observe(logits, surprise, real)
    assert made.signal.abs().max() < 1e-3


@pytest.mark.parametrize("size", range(1, 2 * MOVES + 2))
def test_texts_may_be_shorter_than_the_way(size: int) -> None:
    made, real = splitter(), torch.ones(2, size, dtype=torch.bool)
    made.observe(torch.zeros(2, size), torch.ones(2, size), real)
    assert made.signal.any() == (size > 2 * MOVES)


def test_nothing_is_kept_where_begins_stay() -> None:
    made = Splitter(level_config(width=WIDTH, splitter_moves=0))
    made.observe(torch.zeros(1, 4), torch.ones(1, 4), torch.ones(1, 4, dtype=torch.bool))
    made.settle()
    assert not list(made.buffers())


def test_a_level_takes_note_in_training_and_settles_when_no_more_is_foretold() -> None:
    zonkey = model(1, splitter_moves=1)
    splitter, batch, weights = zonkey.levels[0].splitter, bytes_batch(TEXTS), losses()
    zonkey(*batch, weights, random(), only=0, sampled=False)
    assert not splitter.signal.any(), "validation leaves no trace"
    zonkey(*batch, weights, random(), only=0)
    expected = int(splitter.signal.argmax()) - 1
    assert splitter.signal.any() and splitter.moved == 0
    zonkey(*batch, unforeseen(weights), random(), only=0, sampled=False)
    assert splitter.signal.any()
    zonkey(*batch, unforeseen(weights), random(), only=0)
    assert splitter.moved == expected and not splitter.signal.any()


def test_begins_that_foresight_chose_alone_settle_when_reconstruction_starts() -> None:
    zonkey = model(1, splitter_moves=1, splitter_alone=0.1)
    splitter, batch, weights = zonkey.levels[0].splitter, bytes_batch(TEXTS), losses()
    zonkey(*batch, splitting(weights), random(), only=0)
    assert splitter.signal.any() and splitter.moved == 0
    splitter.signal.copy_(torch.tensor([0.5, 0.1, 0.2]))
    zonkey(*batch, weights, random(), only=0, sampled=False)
    assert splitter.signal.any() and splitter.moved == 0, "validation leaves no trace"
    for _ in range(2):
        zonkey(*batch, weights, random(), only=0)
        assert splitter.moved == -1 and not splitter.signal.any()


def test_the_saved_model_cuts_where_the_trained_one_does(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved are averaged weights; where begins are moved is no weight."""
    monkeypatch.setattr(Splitter, "settle", lambda splitter: splitter.moved.fill_(-1))
    short = {"train.levels.0.steps": 2, "train.levels.0.bytes": 64, "model.levels.0.splitter_moves": 1}
    train_level(varied(config(1), short), 0, corpus, None, tmp_path / "model", tmp_path / "runs")
    assert Zonkey.from_pretrained(tmp_path / "model").levels[0].splitter.moved == -1


def test_a_predictor_takes_part_where_begins_are_moved() -> None:
    assert model(1, foresight=0.0, splitter_moves=1).levels[0].predictor is not None
    assert model(1, foresight=0.0).levels[0].predictor is None


def test_more_than_half_a_segment_is_refused() -> None:
    varied(config(), {"model.levels.0.splitter_moves": 1, "model.levels.0.target_rate": 0.4})
    with pytest.raises(ConfigError, match="splitter_moves 2 is half a segment or more"):
        varied(config(), {"model.levels.0.splitter_moves": 2, "model.levels.0.target_rate": 0.25})


def test_vectors_that_are_alike_are_one_outcome() -> None:
    """Of eight kinds one is drawn half of the time: what is known of it in advance is that, and so is the entropy."""
    kinds = torch.linalg.qr(sphere_noise((WIDTH, WIDTH), random())).Q[:8]
    often = torch.cat([kinds[:1].expand(7, -1), kinds[1:]])
    x = often[torch.randint(len(often), (4, 200), generator=random(1))]
    real = torch.ones(4, 200, dtype=torch.bool)
    torch.manual_seed(0)
    made = Predictor(level_config(width=WIDTH, predictor_sees=1, predictor_ahead=[2]))
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    once, many = (made(x, real, given).loss for given in (kinds, often))
    torch.testing.assert_close(once, torch.tensor(8.0).log())
    share = torch.where((x @ kinds[0] > 0.9)[:, 1:], 0.5, 1 / 14)
    torch.testing.assert_close(many, -share.log().mean())
    _, expected = _nats(torch.zeros_like(x), x, often, None)
    torch.testing.assert_close(expected, torch.full((4, 200), 0.5 * math.log(2) + 0.5 * math.log(14)))
