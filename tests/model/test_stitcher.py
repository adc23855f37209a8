"""Offsets, and segments laid over one another into one sequence again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.model.build import level_config, random, segments_of
from zonkey.existence import Segments, to_documents
from zonkey.sphere import radius, sphere_noise
from zonkey.stitcher import Stitcher, lay_out, offset_prior
from zonkey.transformer import initialise

CONFIG = level_config()
WIDTH, WINDOW = CONFIG.width, CONFIG.window
seeds = st.integers(0, 2**31)


def stitcher() -> Stitcher:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Stitcher(CONFIG)
        initialise(module)
    return module


def crisp(lengths: list[int], sure: float = 30.0) -> Tensor:
    """Begin logits of segments of certain lengths; a segment as long as its window never ends in it."""
    logits = torch.full((len(lengths), WINDOW), -sure)
    for row, length in enumerate(lengths):
        if length < WINDOW:
            logits[row, length] = sure
    return logits


def both_again(document: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
    """Every window as an oracle would decode it, laid out by the lengths of its own parts."""
    count = int(segments.counts.max())
    windows = document.flatten(0, 1)[segments.index] * segments.mask[..., None]
    own = segments.own.sum(dim=1)
    packed, _, _ = to_documents(torch.cat([windows.flatten(1), own[:, None]], dim=1), segments, count)
    x = packed[..., :-1].unflatten(2, segments.index.shape[1:2] + document.shape[2:])
    return lay_out(x, packed[..., -1].long(), document.shape[1])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(4, 9), seeds)
def test_cutting_elsewhere_gives_the_same_document(lengths: list[int], window: int, seed: int) -> None:
    size = torch.tensor(lengths)
    document = torch.randn(len(lengths), max(lengths), 3, generator=random(seed))
    document = document * (torch.arange(max(lengths)) < size[:, None])[..., None]
    results = []
    for cut in (seed, seed + 1):
        logits = torch.randn(document.shape[:2], generator=random(cut))
        results.append(both_again(document, segments_of(logits, size, window, cut)))
    for x, found in results:
        assert torch.equal(x, document) and torch.equal(found, size)


@given(st.lists(st.integers(2, 60), min_size=1, max_size=3), seeds)
def test_crisp_existences_alone_give_the_same_document(lengths: list[int], seed: int) -> None:
    """Offsets are inferred from existences here, not told."""
    for length in lengths:
        document = torch.randn(1, length, 3, generator=random(seed))
        for cut in (seed, seed + 1):
            drawn = torch.where(torch.rand(1, length, generator=random(cut)) < 0.3, 30.0, -30.0)
            segments = segments_of(drawn, torch.tensor([length]), WINDOW, None)
            begin = torch.where(segments.mask, drawn[0, segments.index], 30.0)
            offset = offset_prior(begin).argmax(dim=1) + 1
            windows = document[0][segments.index][None]
            x, found = lay_out(windows, offset[None], length)
            torch.testing.assert_close(x, document)
            assert found.tolist() == [length]


@given(seeds, st.floats(0.1, 80))
def test_offsets_are_a_distribution(seed: int, scale: float) -> None:
    begin = scale * torch.randn(5, WINDOW, generator=random(seed))
    torch.testing.assert_close(offset_prior(begin).exp().sum(dim=1), torch.ones(5), atol=1e-4, rtol=0)
    x = sphere_noise((5, WINDOW, WIDTH), random(seed))
    found = stitcher()(x, begin, x.roll(1, 0), begin.roll(1, 0))
    torch.testing.assert_close(found.log_offset.exp().sum(dim=1), torch.ones(5))
    assert (found.expected >= 1 - 1e-4).all() and (found.expected <= WINDOW + 1e-3).all()


@given(seeds)
def test_offset_prior_is_existence_lost(seed: int) -> None:
    begin = torch.randn(1, WINDOW, generator=random(seed))
    b, p, want = begin[0].sigmoid().tolist(), 1.0, []
    for n in range(1, WINDOW):
        want.append(p * b[n])
        p *= 1 - b[n]
    torch.testing.assert_close(offset_prior(begin)[0].exp(), torch.tensor([*want, p]))


@given(st.lists(st.integers(1, WINDOW), min_size=1, max_size=6), seeds)
def test_crisp_existence_gives_its_length(lengths: list[int], seed: int) -> None:
    x = sphere_noise((len(lengths), WINDOW, WIDTH), random(seed))
    begin = crisp(lengths)
    found = stitcher()(x, begin, x.roll(1, 0), begin.roll(1, 0))
    assert found.likeliest.tolist() == lengths
    torch.testing.assert_close(found.expected, torch.tensor(lengths, dtype=torch.float), atol=1e-3, rtol=0)


def test_a_match_decides_where_existence_does_not() -> None:
    """The successor's first vectors are those at offset 3; a scale above 0 makes that offset likelier."""
    module = stitcher()
    x, successor = sphere_noise((1, WINDOW, WIDTH), random()), sphere_noise((1, WINDOW, WIDTH), random(1))
    successor[:, :2] = x[:, 3:5]
    with torch.no_grad():
        module.there.weight.copy_(module.here.weight)
        begin = torch.full((1, WINDOW), -2.0)
        before = module(x, begin, successor, begin)
        module.scale.fill_(20.0)
        after = module(x, begin, successor, begin)
    assert float(after.log_offset[0, 2]) > float(before.log_offset[0, 2]) + 1
    assert after.likeliest.tolist() == [3]


def test_the_expected_offset_is_differentiable() -> None:
    module = stitcher()
    torch.nn.init.constant_(module.scale, 0.5)
    x, other = (torch.randn(2, WINDOW, WIDTH, generator=random(seed)) for seed in (0, 1))
    begin = torch.randn(2, WINDOW, generator=random(2)).requires_grad_()
    (grad,) = torch.autograd.grad(module(x, begin, other, begin.detach()).expected.sum(), begin)
    assert (grad[:, 0] == 0).all()
    for row, k in ((0, 1), (1, 4)):
        moved = [begin.detach().clone() for _ in range(2)]
        moved[0][row, k] += 1e-2
        moved[1][row, k] -= 1e-2
        up, down = (module(x, b, other, begin.detach()).expected.sum() for b in moved)
        assert float(grad[row, k]) == pytest.approx(float((up - down).detach()) / 2e-2, rel=0.02, abs=1e-3)


def test_gradients_reach_all_of_the_stitcher() -> None:
    module = stitcher()
    torch.nn.init.constant_(module.scale, 0.5)  # 0 at the start, when only the scale itself has a gradient
    x, other = (sphere_noise((4, WINDOW, WIDTH), random(s)).requires_grad_() for s in (0, 1))
    begin, there = (torch.randn(4, WINDOW, generator=random(s)).requires_grad_() for s in (2, 3))
    found = module(x, begin, other, there)
    (found.expected.sum() + (found.x * torch.randn(found.x.shape, generator=random(4))).sum()).backward()
    assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert all(v.grad.isfinite().all() and v.grad.abs().sum() > 0 for v in (x, other, begin, there))


@pytest.mark.parametrize("logit", [-80.0, 80.0])
def test_certain_begins_leave_the_stitcher_finite(logit: float) -> None:
    begin = torch.full((2, WINDOW), logit, requires_grad=True)
    x = sphere_noise((2, WINDOW, WIDTH), random()).requires_grad_()
    found = stitcher()(x, begin, x, begin)
    (found.expected.sum() + found.x[..., 0].sum()).backward()
    assert found.x.isfinite().all() and found.expected.isfinite().all()
    assert begin.grad.isfinite().all() and x.grad.isfinite().all()


def test_refined_vectors_stay_on_the_sphere_and_hear_the_successor() -> None:
    module = stitcher()
    x, one, two = (sphere_noise((3, WINDOW, WIDTH), random(seed)) for seed in range(3))
    begin = torch.full((3, WINDOW), -2.0)
    first, second = (module(x, begin, other, begin).x for other in (one, two))
    torch.testing.assert_close(first.norm(dim=-1), torch.full((3, WINDOW), radius(WIDTH)))
    assert not torch.allclose(first, second, atol=1e-3)


@given(
    st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=3),
    st.integers(1, 20),
    seeds,
)
def test_laying_out_equals_a_loop(lengths: list[list[int]], positions: int, seed: int) -> None:
    x = torch.randn(len(lengths), 3, 6, 2, generator=random(seed))
    got, total = lay_out(x, torch.tensor(lengths), positions)
    for row, parts in enumerate(lengths):
        written = torch.cat([x[row, m, :n] for m, n in enumerate(parts)])[:positions]
        want = torch.zeros(positions, 2)
        want[: len(written)] = written
        assert torch.equal(got[row], want) and int(total[row]) == len(written)
