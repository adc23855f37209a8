"""Splitting, existence, shares and penalties against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.model.build import random, segments_of
from zonkey.existence import (
    Segments,
    choose_begins,
    cut,
    force_begins,
    indecision,
    rate_penalty,
    real_positions,
    short_penalty,
    survival,
    to_documents,
    window_penalty,
)

EDGES = [-80.0, -20.0, -1.0, 0.0, 1.0, 20.0, 80.0]


@st.composite
def batches(draw: st.DrawFn, least: int = 1) -> tuple[Tensor, Tensor, int]:
    """Begin logits (edges and moderate ones mixed), lengths, and a window."""
    documents, positions, window = (
        draw(st.integers(1, 4)),
        draw(st.integers(least, 24)),
        draw(st.integers(4, 9)),
    )
    value = st.one_of(st.sampled_from(EDGES), st.floats(-6, 6, width=32))
    rows = [draw(st.lists(value, min_size=positions, max_size=positions)) for _ in range(documents)]
    lengths = [draw(st.integers(1, positions)) for _ in range(documents)]
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(lengths), window


def begins_of(segments: Segments, document: int) -> list[int]:
    return segments.start[segments.valid & (segments.document == document)].tolist()


@given(batches(), st.integers(0, 1000))
def test_begins_equal_a_loop(batch: tuple[Tensor, Tensor, int], seed: int) -> None:
    logits, lengths, window = batch
    real = real_positions(lengths, logits.shape[1])
    chance = torch.rand(logits.shape, generator=random(seed)) < logits.sigmoid()
    for generator, drawn in ((random(seed), chance), (None, logits >= 0)):
        found = choose_begins(logits, real, window, generator)
        for row in range(len(lengths)):
            last, want = 0, []
            for at in range(logits.shape[1]):
                begin = at < lengths[row] and (at == 0 or bool(drawn[row, at]) or at - last == window)
                last = at if begin else last
                want.append(begin)
            assert found[row].tolist() == want


@given(batches())
def test_no_segment_is_longer_than_its_window(batch: tuple[Tensor, Tensor, int]) -> None:
    logits, lengths, window = batch
    real = real_positions(lengths, logits.shape[1])
    begins = force_begins(torch.zeros_like(real), real, window)
    for row, length in enumerate(lengths.tolist()):
        assert begins[row].nonzero().flatten().tolist() == list(range(0, length, window))


@given(batches(), st.integers(0, 1000))
def test_windows_equal_a_loop(batch: tuple[Tensor, Tensor, int], seed: int) -> None:
    logits, lengths, window = batch
    positions = logits.shape[1]
    segments = segments_of(logits, lengths, window, seed)
    begins = [begins_of(segments, row) for row in range(len(lengths))]
    slot = 0
    for row, starts in enumerate(begins):
        assert segments.counts[row] == len(starts)
        for rank, start in enumerate(starts):
            following = starts[rank + 1] if rank + 1 < len(starts) else positions
            assert (int(segments.start[slot]), int(segments.rank[slot])) == (start, rank)
            exists = 1.0
            for k in range(window):
                at = start + k
                inside = at < int(lengths[row])
                assert bool(segments.mask[slot, k]) == inside
                assert bool(segments.own[slot, k]) == (inside and at < following)
                assert int(segments.index[slot, k]) == (row * positions + at if inside else 0)
                if inside:
                    exists *= 1.0 if k == 0 else 1 / (1 + math.exp(min(float(logits[row, at]), 700)))
                    assert float(segments.p[slot, k]) == pytest.approx(exists, rel=1e-4, abs=1e-30)
                else:
                    assert float(segments.p[slot, k]) == 0
            slot += 1
    assert slot == len(segments.start)


@given(batches(), st.integers(0, 1000))
def test_shares_sum_to_one_over_every_real_position(batch: tuple[Tensor, Tensor, int], seed: int) -> None:
    logits, lengths, window = batch
    segments = segments_of(logits, lengths, window, seed)
    total = torch.zeros(logits.numel()).index_add(0, segments.index[segments.mask], segments.share[segments.mask])
    real = real_positions(lengths, logits.shape[1]).flatten()
    torch.testing.assert_close(total, real.float(), atol=1e-5, rtol=0)
    assert (segments.share[~segments.mask] == 0).all()


@given(batches(), st.integers(0, 1000))
def test_shares_equal_existence_over_its_sum(batch: tuple[Tensor, Tensor, int], seed: int) -> None:
    logits, lengths, window = batch
    segments = segments_of(logits.double(), lengths, window, seed)
    log_p = segments.log_p.double()
    for slot, k in segments.mask.nonzero().tolist():
        here = segments.index[slot, k]
        others = log_p[(segments.index == here) & segments.mask]
        want = 1 / float((others - log_p[slot, k]).exp().sum())
        assert float(segments.share[slot, k]) == pytest.approx(want, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("logit", EDGES)
def test_gradients_are_finite_at_the_edges(logit: float) -> None:
    logits = torch.full((2, 30), logit)
    logits[1, ::3] = -logit
    logits.requires_grad_()
    lengths = torch.tensor([30, 17])
    real = real_positions(lengths, 30)
    segments = segments_of(logits, lengths, 6)
    (segments.p * torch.randn(segments.p.shape, generator=random())).sum().backward(retain_graph=True)
    (segments.share * torch.randn(segments.share.shape, generator=random())).sum().backward()
    penalties = [window_penalty(logits, real, 6), short_penalty(logits, real, 4), indecision(logits, real)]
    torch.stack([*penalties, rate_penalty(logits, real, 0.2)]).sum().backward()
    assert segments.share.isfinite().all() and logits.grad is not None and logits.grad.isfinite().all()
    assert logits.grad.abs().sum() > 0 or abs(logit) == 80


def test_the_gradient_of_existence_survives_certainty() -> None:
    """d log p / d logit is -b: nearly -1 for a certain begin, where b itself has no gradient left."""
    logits = torch.tensor([[0.0, 40.0, -40.0]], requires_grad=True)
    segments = cut(logits, torch.tensor([[True, False, False]]), torch.tensor([3]), 4, None)
    (grad,) = torch.autograd.grad(segments.log_p[0, 2], logits)
    torch.testing.assert_close(grad, torch.tensor([[0.0, -1.0, 0.0]]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_survival_is_the_running_product(chances: list[float]) -> None:
    keep = torch.tensor([chances], dtype=torch.float64)
    want = torch.cat([torch.ones(1, 1, dtype=torch.float64), keep[:, 1:].cumprod(dim=1)], dim=1)
    torch.testing.assert_close(survival(keep.log()).exp(), want)


@given(batches(), st.integers(0, 1000), st.integers(1, 40))
def test_capacity_fixes_the_shape_and_drops_from_the_end(
    batch: tuple[Tensor, Tensor, int], seed: int, capacity: int
) -> None:
    logits, lengths, window = batch
    real = real_positions(lengths, logits.shape[1])
    begins = choose_begins(logits, real, window, random(seed))
    whole, some = (cut(logits, begins, lengths, window, size) for size in (None, capacity))
    kept = min(capacity, len(whole.start))
    assert some.index.shape == (capacity, window) and int(some.valid.sum()) == kept
    for name in ("document", "start", "rank", "index", "mask", "log_p", "own"):
        torch.testing.assert_close(getattr(some, name)[:kept], getattr(whole, name)[:kept])
    assert not some.mask[kept:].any() and not some.own[kept:].any()
    assert (some.p[kept:] == 0).all() and (some.share[kept:] == 0).all()
    covered = some.index[some.mask].unique()
    total = torch.zeros(logits.numel()).index_add(0, some.index[some.mask], some.share[some.mask])
    torch.testing.assert_close(total[covered], torch.ones(len(covered)))


@given(batches(), st.integers(0, 1000), st.integers(1, 12), st.one_of(st.none(), st.integers(1, 40)))
def test_document_order_equals_a_loop(
    batch: tuple[Tensor, Tensor, int], seed: int, kept: int, capacity: int | None
) -> None:
    logits, lengths, window = batch
    real = real_positions(lengths, logits.shape[1])
    segments = cut(logits, choose_begins(logits, real, window, random(seed)), lengths, window, capacity)
    z = torch.randn(len(segments.start), 3, generator=random(seed))
    vectors, counts, slots = to_documents(z, segments, kept)
    for row in range(len(lengths)):
        mine = [s for s in range(len(z)) if segments.valid[s] and segments.document[s] == row][:kept]
        assert int(counts[row]) == len(mine) and slots[row, : len(mine)].tolist() == mine
        want = torch.zeros(kept, 3)
        want[: len(mine)] = z[mine]
        assert torch.equal(vectors[row], want)


@given(batches(least=9))
def test_window_penalty_equals_enumeration(batch: tuple[Tensor, Tensor, int]) -> None:
    logits, lengths, window = batch
    keep = 1 - logits.double().sigmoid()
    terms = []
    for n in range(window, window + 3):
        runs = [
            math.prod(keep[row, at : at + n].tolist())
            for row, length in enumerate(lengths.tolist())
            for at in range(length - n + 1)
        ]
        if n <= logits.shape[1]:
            terms.append(sum(runs) / max(len(runs), 1))
    want = sum(terms) / len(terms)
    real = real_positions(lengths, logits.shape[1])
    assert float(window_penalty(logits, real, window)) == pytest.approx(want, abs=1e-5)


@given(batches(least=9), st.integers(2, 4))
def test_short_penalty_equals_enumeration(batch: tuple[Tensor, Tensor, int], vectors: int) -> None:
    logits, lengths, _ = batch
    b = logits.double().sigmoid()
    terms = []
    for n in range(max(2, vectors - 2), vectors + 1):
        runs = [
            float(b[row, at]) * (1 - math.prod((1 - b[row, at + 1 : at + n]).tolist()))
            for row, length in enumerate(lengths.tolist())
            for at in range(length - n + 1)
        ]
        terms.append(sum(runs) / max(len(runs), 1))
    real = real_positions(lengths, logits.shape[1])
    assert float(short_penalty(logits, real, vectors)) == pytest.approx(sum(terms) / len(terms), abs=1e-5)


@given(batches(), st.floats(0.1, 0.9))
def test_rate_and_indecision_equal_a_loop(batch: tuple[Tensor, Tensor, int], target: float) -> None:
    logits, lengths, _ = batch
    b = [float(x) for row, n in zip(logits.double().sigmoid(), lengths.tolist(), strict=True) for x in row[:n]]
    real = real_positions(lengths, logits.shape[1])
    mean = sum(b) / len(b)
    assert float(rate_penalty(logits, real, target)) == pytest.approx(((mean - target) / target) ** 2, abs=1e-4)
    assert float(indecision(logits, real)) == pytest.approx(sum(4 * x * (1 - x) for x in b) / len(b), abs=1e-5)


@given(batches(), st.integers(1, 10), st.floats(-80, 80))
def test_padding_and_neighbours_never_matter(batch: tuple[Tensor, Tensor, int], more: int, rubbish: float) -> None:
    logits, lengths, window = batch
    padded = torch.nn.functional.pad(logits, (0, more), value=rubbish)
    together = segments_of(padded, lengths, window, None)
    for row, length in enumerate(lengths.tolist()):
        alone = segments_of(logits[row : row + 1, :length], lengths[row : row + 1], window, None)
        mine = together.document == row
        for name in ("start", "rank", "mask", "own", "log_p", "share", "p"):
            torch.testing.assert_close(getattr(together, name)[mine], getattr(alone, name))
    real = real_positions(lengths, padded.shape[1])
    cleared = torch.where(real, padded, 0.0)
    for penalty in (window_penalty, short_penalty, rate_penalty):
        argument = 0.3 if penalty is rate_penalty else 4
        torch.testing.assert_close(penalty(padded, real, argument), penalty(cleared, real, argument))
