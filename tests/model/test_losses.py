"""Loss terms by hand, and what keeps them apart from metrics."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize

from tests.model.build import losses as weights_with
from tests.model.build import random
from zonkey.config import LossConfig
from zonkey.losses import (
    COS_LIMIT,
    LevelLosses,
    LevelMetrics,
    best_interpolation,
    codebook_loss,
    contrastive_loss,
    cosine_logits,
    existence_loss,
    offset_loss,
    spread_loss,
    weighted_mean,
)

seeds = st.integers(0, 2**31)
NEAR = {"atol": 1e-3, "rtol": 1e-3}  # cosines are scaled by COS_LIMIT
EAST, NORTH, SOUTH, AWAY = (torch.tensor([v]) for v in ([1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [-1.0, 0.0]))


def test_cosine_logits() -> None:
    cos = torch.tensor([0.0, 0.5, -0.5, 1.0, -1.0])
    limit = math.log((1 + COS_LIMIT) / (1 - COS_LIMIT))
    torch.testing.assert_close(
        cosine_logits(cos),
        torch.tensor([0.0, math.log(3), -math.log(3), limit, -limit]),
        atol=1e-2,
        rtol=1e-3,
    )
    edge = torch.tensor([1.0, -1.0], requires_grad=True)
    cosine_logits(edge).sum().backward()
    assert edge.grad is not None and edge.grad.isfinite().all()


def test_codebook_loss_of_a_vector_between_two_entries() -> None:
    """cos = 1/2 with one of two entries and -1/2 with the other: logits log 3 and -log 3."""
    book = torch.cat([EAST, AWAY]) * 7
    x = torch.tensor([[0.5, math.sqrt(0.75)]]).repeat(2, 1) * 3
    loss, correct = codebook_loss(x, book, torch.tensor([0, 1]))
    torch.testing.assert_close(loss, torch.tensor([math.log(10 / 9), math.log(10)]), **NEAR)
    assert correct.tolist() == [True, False]


@given(seeds)
def test_codebook_loss_is_the_cross_entropy_of_cosine_logits(seed: int) -> None:
    x, book = (torch.randn(count, 6, generator=random(seed + count)) for count in (5, 9))
    ids = torch.randint(9, (5,), generator=random(seed))
    logits = cosine_logits(normalize(x, dim=-1) @ normalize(book, dim=-1).T)
    loss, correct = codebook_loss(x, book, ids)
    torch.testing.assert_close(loss, cross_entropy(logits, ids, reduction="none"), atol=1e-4, rtol=1e-4)
    assert torch.equal(correct, logits.argmax(dim=-1) == ids)


def test_contrastive_loss_by_hand() -> None:
    """Truth at a right angle (logit 0), negatives at cos 1/2 and -1/2 (logits +-log 3): log(1 + 3 + 1/3)."""
    half, back = torch.tensor([[math.sqrt(0.75), 0.5]]), torch.tensor([[math.sqrt(0.75), -0.5]])
    candidates = torch.cat([half, back])
    loss, correct, distance = contrastive_loss(NORTH, EAST, candidates)
    torch.testing.assert_close(loss, torch.tensor([math.log(1 + 3 + 1 / 3)]), **NEAR)
    assert correct.tolist() == [False] and distance.tolist() == [1.0]


def test_a_unit_is_not_its_own_negative() -> None:
    """Not the truth itself, nor what points the same way (the same unit elsewhere)."""
    x = torch.tensor([[math.sqrt(0.75), 0.5]])
    like = torch.nn.functional.normalize(torch.tensor([[0.1, 1.0]]), dim=-1)
    for same in (NORTH, 3 * NORTH, like):
        loss, correct, _ = contrastive_loss(x, NORTH, torch.cat([same, SOUTH]))
        torch.testing.assert_close(loss, torch.tensor([math.log(3 + 1 / 3) - math.log(3)]), **NEAR)
        assert correct.tolist() == [True]
    alone, _, _ = contrastive_loss(x, NORTH, NORTH)
    assert alone.tolist() == pytest.approx([0.0], abs=1e-5)


def test_existence_loss_by_hand() -> None:
    """Position 0 exists anyway; invalid segments do not count; the target has no gradient."""
    log_p = torch.tensor([[0.0, 0.5, 0.25], [0.0, 0.9, 0.1]]).log().clamp(min=-9).requires_grad_()
    target = torch.tensor([[1.0, 1.0, 0.5], [1.0, 1.0, 1.0]], requires_grad=True)
    loss = existence_loss(log_p, target, torch.tensor([True, False]))
    want = (-math.log(0.5) - 0.5 * math.log(0.25) - 0.5 * math.log(0.75)) / 2
    assert float(loss.detach()) == pytest.approx(want, rel=1e-5)
    loss.backward()
    assert target.grad is None and log_p.grad is not None and (log_p.grad[1] == 0).all()


@given(st.lists(st.sampled_from([0.0, -1e-9, -1.0, -80.0, -1000.0]), min_size=3, max_size=3))
def test_existence_loss_is_finite_at_the_edges(logs: list[float]) -> None:
    log_p = torch.tensor([[0.0, *logs]], requires_grad=True)
    for target in (torch.zeros(1, 4), torch.ones(1, 4)):
        loss = existence_loss(log_p, target, torch.tensor([True]))
        (grad,) = torch.autograd.grad(loss, log_p)
        assert loss.isfinite() and grad.isfinite().all()


def test_weighted_mean() -> None:
    values, weights = torch.tensor([1.0, 5.0, 9.0]), torch.tensor([3.0, 1.0, 0.0])
    assert float(weighted_mean(values, weights)) == 2.0
    assert float(weighted_mean(values, torch.zeros(3))) == 0.0


@given(seeds, st.floats(0, 0.9))
def test_best_interpolation_equals_a_grid_search(seed: int, least: float) -> None:
    result, start, truth = torch.randn(3, 4, 5, 3, generator=random(seed))
    share = torch.rand(4, 5, generator=random(seed + 1))
    found = best_interpolation(result, start, truth, share, torch.full((4,), least))
    grid = torch.linspace(least, 1, 2001)
    point = start[None] + grid[:, None, None, None] * (truth - start)[None]
    cost = ((point - result).square().sum(dim=-1) * share).sum(dim=-1)
    torch.testing.assert_close(found, grid[cost.argmin(dim=0)], atol=1e-3, rtol=0)


def test_best_interpolation_of_one_point_is_finite() -> None:
    x = torch.randn(2, 5, 3, generator=random())
    assert best_interpolation(x, x, x, torch.ones(2, 5), torch.zeros(2)).isfinite().all()
    assert best_interpolation(x + 1, x, x + 2, torch.zeros(2, 5), torch.full((2,), 0.25)).tolist() == [
        0.25,
        0.25,
    ]


def test_spread_loss_by_hand() -> None:
    """Slots 2 apart: east-east, east-north, east-east, north-east: the mean cosine is 1/2."""
    z = torch.cat([EAST, EAST, EAST, NORTH])
    document, valid = torch.tensor([0, 0, 1, 1]), torch.ones(4, dtype=torch.bool)
    assert float(spread_loss(z, document, valid, 2)) == pytest.approx(0.25)
    assert float(spread_loss(z, torch.zeros(4, dtype=torch.long), valid, 2)) == 0.0
    valid[3] = False
    assert float(spread_loss(z, document, valid, 2)) == pytest.approx(1.0)


def test_offset_loss_by_hand() -> None:
    chance = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    log_offset = chance.clamp(min=1e-30).log()
    truth = torch.tensor([2, 2])
    assert float(offset_loss(log_offset, truth, torch.tensor([1.0, 0.0]))) == pytest.approx(0.125)
    assert float(offset_loss(log_offset, truth, torch.tensor([1.0, 3.0]))) == pytest.approx(0.25 * 0.125 + 0.75 * 0.5)
    exact = torch.tensor([[0.0, 1.0, 0.0, 0.0]]).clamp(min=1e-30).log()
    assert float(offset_loss(exact, torch.tensor([2]), torch.ones(1))) == pytest.approx(0, abs=1e-9)


# --- losses and metrics are different types ---------------------------------------------------------------


def some_losses(**values: float) -> LevelLosses:
    return LevelLosses(
        **{"clean": torch.tensor(1.0), "existence": torch.tensor(1.0)}
        | {name: torch.tensor(value) for name, value in values.items()}
    )


def metrics() -> LevelMetrics:
    return LevelMetrics(**{f.name: torch.tensor(9.0) for f in fields(LevelMetrics)})


def test_losses_and_metrics_share_no_name_and_no_type() -> None:
    assert not {f.name for f in fields(LevelLosses)} & {f.name for f in fields(LevelMetrics)}
    assert not isinstance(metrics(), LevelLosses) and not hasattr(metrics(), "total")


def test_every_loss_term_has_a_weight() -> None:
    """A new term without one could not take part silently."""
    assert {f.name for f in fields(LevelLosses)} <= set(LossConfig.model_fields)


def test_total_is_the_weighted_sum() -> None:
    terms = some_losses(clean=2.0, existence=3.0, window=5.0, position=7.0)
    want = weights_with(clean=1.0, existence=0.5, window=2.0, position=0.1)
    assert float(terms.total(want)) == pytest.approx(2 + 1.5 + 10 + 0.7)


@pytest.mark.parametrize("name", [f.name for f in fields(LevelLosses)])
def test_a_term_of_weight_zero_takes_no_part(name: str) -> None:
    """Not even with a NaN, and its gradient is none."""
    bad = torch.tensor(math.nan, requires_grad=True)
    good = torch.tensor(2.0, requires_grad=True)
    terms = replace(some_losses(window=1.0), **{"short": good, "rate": torch.tensor(0.0), name: bad})
    total = terms.total(weights_with(**{name: 0.0}))
    assert total.isfinite()
    if total.requires_grad:
        total.backward()
    assert bad.grad is None
    assert math.isnan(float(terms.total(weights_with(**{name: 1.0})).detach()))


def test_losses_are_frozen() -> None:
    with pytest.raises(AttributeError):
        some_losses().clean = torch.tensor(0.0)  # type: ignore[misc]
