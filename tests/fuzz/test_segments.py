"""Segments and what the stitcher makes of them: every document comes back, and every number is one."""

from __future__ import annotations

import functools
from typing import NamedTuple
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.fuzz.cases import CASES
from tests.model.build import model, random
from zonkey import Zonkey
from zonkey.denoiser import Denoised
from zonkey.existence import Segments, choose_begins, cut, real_positions, to_documents
from zonkey.level import Level
from zonkey.stitcher import lay_out

pytestmark = pytest.mark.usefixtures("unchecked")

SURE = 30.0
EDGES = [0.0, -0.0, 1e-45, 15.0, 16.7, 87.3, 88.8, 103.3, 1e4, 1e30]  # where e^x leaves float32, and sums lose it
sizes = st.integers(4, 16)
seeds = st.integers(0, 2**31)
texts = st.one_of(st.text(min_size=1, max_size=60), st.text(st.sampled_from("ab ."), min_size=1, max_size=120))


class Batch(NamedTuple):
    logits: Tensor
    lengths: Tensor
    window: int
    seed: int | None  # of sampled begins; None for the deterministic split
    hard: bool

    def segments(self, capacity: int | None = None) -> Segments:
        real = real_positions(self.lengths, self.logits.shape[1])
        begins = choose_begins(self.logits, real, self.window, None if self.seed is None else random(self.seed))
        return cut(self.logits, begins, self.lengths, self.window, capacity, self.hard)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Documents of every length and begin logits of every size, padding among them."""
    edge = st.sampled_from(EDGES).flatmap(lambda size: st.sampled_from([size, -size]))
    value = st.one_of(st.floats(-6, 6, width=32), st.floats(-120, 120, width=32), edge)
    palette = draw(st.lists(value, min_size=1, max_size=5))
    lengths = draw(st.lists(st.integers(1, 70), min_size=1, max_size=4))
    shape = (len(lengths), max(lengths) + draw(st.integers(0, 3)))
    places = torch.randint(len(palette), shape, generator=random(draw(seeds)))
    logits = torch.tensor(palette, dtype=torch.float32)[places]
    return Batch(logits, torch.tensor(lengths), draw(sizes), draw(st.one_of(st.none(), seeds)), draw(st.booleans()))


@CASES
@given(batches())
def test_segments_tile_documents_and_existences_are_probabilities(batch: Batch) -> None:
    found, positions = batch.segments(), batch.logits.shape[1]
    own = found.own.sum(dim=1)
    assert (own >= 1).all() and (own <= batch.window).all() and found.valid.all()
    assert torch.equal(torch.zeros_like(batch.lengths).index_add(0, found.document, own), batch.lengths)
    flat = found.index[found.own]
    assert torch.equal(flat, real_positions(batch.lengths, positions).flatten().nonzero()[:, 0])  # all, in order
    assert found.log_p.isfinite().all() and (found.log_p <= 0).all() and (found.log_p[:, 0] == 0).all()
    p, share = found.p, found.share
    assert p.isfinite().all() and (p >= 0).all() and (p <= 1).all() and (p.diff(dim=1) <= 0).all()
    assert share.isfinite().all() and (share >= 0).all() and (share <= 1 + 1e-6).all()
    total = torch.zeros(batch.logits.numel()).index_add(0, found.index[found.mask], share[found.mask])
    torch.testing.assert_close(total[flat], torch.ones(len(flat)), atol=1e-5, rtol=0)


@CASES
@given(batches(), st.integers(1, 60))
def test_a_capacity_keeps_the_first_segments(batch: Batch, capacity: int) -> None:
    whole, part = batch.segments(), batch.segments(capacity)
    kept = min(capacity, len(whole.start))
    assert len(part.start) == capacity and int(part.valid.sum()) == kept and part.valid[:kept].all()
    for name in ("document", "start", "rank", "index", "mask", "log_p", "own"):
        assert torch.equal(getattr(part, name)[:kept], getattr(whole, name)[:kept]), name
    assert not part.mask[kept:].any() and not part.p[kept:].any() and not part.share[kept:].any()
    assert part.share.isfinite().all()
    if kept == len(whole.start):
        assert torch.equal(part.share[:kept], whole.share)


@CASES
@given(batches(), seeds)
def test_segments_laid_out_are_the_document(batch: Batch, seed: int) -> None:
    positions = batch.logits.shape[1]
    tokens = torch.randint(1, 256, batch.logits.shape, generator=random(seed)).float()
    tokens = tokens * real_positions(batch.lengths, positions)
    segments = batch.segments()
    windows = tokens.flatten()[segments.index] * segments.mask
    packed, counts, _ = to_documents(
        torch.cat([windows, segments.own.sum(dim=1, keepdim=True)], dim=1), segments, int(segments.counts.max())
    )
    assert torch.equal(counts, segments.counts)
    back, lengths = lay_out(packed[..., :-1, None], packed[..., -1].long(), positions)
    assert torch.equal(back[..., 0], tokens) and torch.equal(lengths, batch.lengths)


@functools.cache
def built(levels: int, seed: int) -> Zonkey:
    """A model whose stitchers refine nothing: what a segment holds, it writes."""
    network = model(levels, seed=seed).eval()
    for level in network.levels:
        torch.nn.init.zeros_(level.stitcher.cross.out.weight)
    return network


def oracle(level: Level, x: Tensor, segments: Segments) -> Denoised:
    """What a denoiser that knows the truth would say of every vector, in the order of the documents."""
    window = level.config.window
    ends = torch.arange(window) == segments.own.sum(dim=1, keepdim=True)
    begin = torch.where(ends, SURE, -SURE)
    vectors = torch.cat([level.windows(x, segments).flatten(1), begin], dim=1)
    packed = to_documents(vectors, segments, int(segments.counts.max()))[0].flatten(0, 1)
    begin = packed[:, -window:]
    return Denoised(packed[:, :-window].unflatten(1, (window, -1)), begin, begin)


@CASES
@given(
    st.lists(texts.filter(lambda text: len(text.encode()) >= 2), min_size=1, max_size=3),
    st.floats(-100, 100),
    st.integers(0, 3),
    st.sampled_from(["expected", "sampled"]),
)
def test_a_level_puts_together_what_its_splitter_cut(rows: list[str], bias: float, seed: int, last: str) -> None:
    """Offsets come from the stitcher, by existence; at level 0 the text is there again, above it the vectors."""
    network = built(2, seed)
    with torch.no_grad():
        x, lengths = network.embed(rows)
        for index, level in enumerate(network.levels):
            level.splitter.bias.fill_(bias)
            _, segments = level.split(x, lengths)
            z, counts, _ = to_documents(level.compress(x, segments), segments, int(segments.counts.max()))
            with patch.object(level, "denoise", lambda *_: oracle(level, x, segments)):  # noqa: B023
                again = level.decode(z, counts, last=last, generator=random(seed))
            assert torch.equal(again.lengths, lengths)
            want = torch.where(real_positions(lengths, x.shape[1])[..., None], x, 0.0)
            torch.testing.assert_close(again.x, want, atol=1e-5, rtol=1e-5)
            assert index or network.read(again.x, again.lengths) == rows
            x, lengths = z, counts


@CASES
@given(
    texts.filter(lambda text: len(text.encode()) >= 2),
    st.floats(-200, 200),
    st.floats(-200, 200),
    st.floats(0, 1),
    st.integers(0, 1),
)
def test_decoding_gives_lengths_and_probabilities(text: str, bias: float, begin: float, noise: float, top: int) -> None:
    """Whatever the splitter and the begin head say."""
    network = built(2, 0)
    for level in network.levels:
        torch.nn.init.constant_(level.splitter.bias, bias)
        torch.nn.init.constant_(level.denoiser.begin_bias, begin)
    latents = network.encode([text], top)
    x, lengths = latents.vectors, latents.lengths
    assert x.isfinite().all()
    with torch.no_grad():
        for level in reversed(network.levels[: top + 1]):
            count, window = int(lengths[0]), level.config.window
            decoded = level.decode(x, lengths, noise)
            assert decoded.x.isfinite().all() and decoded.p.isfinite().all()
            assert (decoded.p >= 0).all() and (decoded.p <= 1).all() and (decoded.p.diff(dim=-1) <= 0).all()
            offsets = decoded.offsets[0, :count]
            assert (offsets >= 1).all() and (offsets <= window).all() and int(offsets.sum()) == int(decoded.lengths[0])
            x, lengths = decoded.x, decoded.lengths
    assert len(network.read(x, lengths)[0].encode(errors="replace")) >= int(lengths[0])


@CASES
@given(texts.filter(lambda text: len(text.encode()) >= 2), st.floats(-200, 200), st.integers(0, 3))
def test_segmentations_nest(text: str, bias: float, seed: int) -> None:
    network = built(2, seed)
    for level in network.levels:
        torch.nn.init.constant_(level.splitter.bias, bias)
    below = tuple(range(len(text.encode())))
    for found, level in zip(network.segment(text).levels, network.levels, strict=True):
        assert found.offsets == below and len(found.probabilities) == len(below)
        assert all(0 <= p <= 1 for p in found.probabilities)  # false for NaN
        assert found.starts[0] == 0 and list(found.starts) == sorted(set(found.starts)) and {*found.starts} <= {*below}
        at = [below.index(start) for start in found.starts]
        assert all(b - a <= level.config.window for a, b in zip(at, [*at[1:], len(below)], strict=True))
        below = found.starts


@CASES
@given(batches(), batches(), seeds, st.integers(0, 3))
def test_offsets_are_a_distribution_within_the_window(one: Batch, two: Batch, seed: int, network: int) -> None:
    stitcher = built(1, network).levels[0].stitcher
    window = built(1, network).levels[0].config.window
    begin, after = (part.logits.flatten().repeat(3 * window)[: 3 * window].view(3, window) for part in (one, two))
    x, other = torch.randn(2, 3, window, 16, generator=random(seed))
    with torch.no_grad():
        stitcher.scale.copy_(torch.randn(2, generator=random(seed)) * 10)
        found = stitcher(x, begin, other, after)
    assert found.x.isfinite().all() and not found.log_offset.isnan().any()
    torch.testing.assert_close(found.log_offset.exp().sum(dim=1), torch.ones(3), atol=1e-4, rtol=0)
    assert (found.expected >= 1 - 1e-4).all() and (found.expected <= window * (1 + 1e-4)).all()
    assert (found.likeliest >= 1).all() and (found.likeliest <= window).all()
