"""Splitter, compressor and denoiser: shapes, spheres, independence of padding, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.model.build import level_config, random, segments_of
from zonkey.compressor import Compressor
from zonkey.denoiser import Denoiser
from zonkey.existence import real_positions
from zonkey.flow import Candidates, Flow, expected, scores
from zonkey.sphere import radius, sphere_noise
from zonkey.splitter import Splitter
from zonkey.transformer import CausalDecoder, initialise, start_local, time_features

CONFIG = level_config()
WIDTH, WINDOW, VECTORS = CONFIG.width, CONFIG.window, CONFIG.vectors
BLOCK = 2
seeds = st.integers(0, 2**31)


def splitter() -> Splitter:
    return _made(Splitter(CONFIG))


def compressor(locality: float = 0.0) -> Compressor:
    return _made(Compressor(level_config(locality=locality)), locality)


def denoiser(decompressor: str = "parallel", locality: float = 0.0) -> Denoiser:
    return _made(Denoiser(level_config(decompressor=decompressor, locality=locality)), locality)


def flow() -> Flow:
    return _made(Flow(CONFIG, BLOCK, 12))


def _made(module: nn.Module, locality: float = 0.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        initialise(module)
    if locality:
        start_local(module, locality)
    return module


def without_gradient(module: nn.Module) -> list[str]:
    return [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_splitting_starts_at_two_begins_a_window() -> None:
    x = sphere_noise((40, 50, WIDTH), random())
    b = splitter()(x, torch.ones(40, 50, dtype=torch.bool)).sigmoid()
    assert 1 / WINDOW < b.detach().mean() < 4 / WINDOW
    torch.nn.init.zeros_((cut := splitter()).begin.weight)
    torch.testing.assert_close(cut(x, torch.ones(40, 50, dtype=torch.bool)).sigmoid(), torch.full((40, 50), 2 / WINDOW))


@given(st.integers(1, 30), st.integers(1, 9), seeds)
def test_begin_logits_do_not_depend_on_padding_or_neighbours(length: int, more: int, seed: int) -> None:
    cut = splitter()
    x = sphere_noise((2, length + more, WIDTH), random(seed))
    lengths = torch.tensor([length, length + more])
    together = cut(x, real_positions(lengths, length + more))
    alone = cut(x[:1, :length], torch.ones(1, length, dtype=torch.bool))
    torch.testing.assert_close(together[:1, :length], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("sees", "left", "right"), [("both", 4, 4), ("past", 8, 0), ("left", 9, -1)])
def test_begins_see_no_further_than_they_should(sees: str, left: int, right: int) -> None:
    """Local attention, then convolutions 9 wide, no more, no less; on one side where the other is hidden."""
    cut = _made(Splitter(level_config(splitter_sees=sees)))
    x = sphere_noise((1, 41, WIDTH), random()).requires_grad_()
    cut(x, torch.ones(1, 41, dtype=torch.bool))[0, 20].backward()
    seen = x.grad.abs().sum(dim=-1)[0].nonzero().flatten()
    attended = CONFIG.splitter_radius * CONFIG.splitter_layers
    assert (int(seen.min()), int(seen.max())) == (20 - attended - left, 20 + right + attended * (sees == "both"))


def test_gradients_reach_all_of_the_splitter() -> None:
    cut = splitter()
    logits = cut(sphere_noise((3, 30, WIDTH), random()), torch.ones(3, 30, dtype=torch.bool))
    (logits * torch.randn(3, 30, generator=random())).sum().backward()
    assert without_gradient(cut) == []


def test_compressed_vectors_lie_on_the_sphere() -> None:
    segments = segments_of(torch.randn(3, 40, generator=random()), torch.tensor([40, 22, 3]), WINDOW)
    x = sphere_noise((*segments.index.shape, WIDTH), random())
    z = compressor()(x, segments.log_p, segments.mask)
    assert z.shape == (len(segments.start), VECTORS * WIDTH)
    torch.testing.assert_close(z.norm(dim=1), torch.full((len(z),), radius(VECTORS * WIDTH)))


@given(st.integers(1, WINDOW - 1), seeds)
def test_what_does_not_exist_does_not_influence_a_compressed_vector(length: int, seed: int) -> None:
    compress = compressor()
    mask = (torch.arange(WINDOW) < length).expand(2, -1)
    x = sphere_noise((2, WINDOW, WIDTH), random(seed))
    other = torch.where(mask[..., None], x, sphere_noise((2, WINDOW, WIDTH), random(seed + 1)))
    log_p = torch.zeros(2, WINDOW)
    torch.testing.assert_close(compress(x, log_p, mask), compress(other, log_p, mask), atol=1e-5, rtol=1e-4)
    faint = torch.where(mask, 0.0, -80.0)
    everywhere = torch.ones_like(mask)
    torch.testing.assert_close(compress(x, faint, everywhere), compress(other, faint, everywhere), atol=1e-4, rtol=1e-3)


def test_what_exists_does_influence_a_compressed_vector() -> None:
    compress = compressor()
    x = sphere_noise((2, WINDOW, WIDTH), random())
    mask = torch.ones(2, WINDOW, dtype=torch.bool)
    before = compress(x, torch.zeros(2, WINDOW), mask)
    for k in range(WINDOW):
        changed = x.clone()
        changed[:, k] = -changed[:, k]
        assert (compress(changed, torch.zeros(2, WINDOW), mask) - before).norm(dim=1).min() > 1e-3


def test_order_matters_to_a_compressed_vector() -> None:
    x = sphere_noise((2, WINDOW, WIDTH), random())
    mask = torch.ones(2, WINDOW, dtype=torch.bool)
    compress = compressor()
    before, after = (compress(v, torch.zeros(2, WINDOW), mask) for v in (x, x.flip(1)))
    assert (before - after).norm(dim=1).min() > 1e-2


@pytest.mark.parametrize("locality", [0.0, 2.0])
def test_gradients_reach_all_of_the_compressor_and_its_existences(locality: float) -> None:
    compress = compressor(locality)
    x = sphere_noise((4, WINDOW, WIDTH), random()).requires_grad_()
    log_p = torch.linspace(0, -80, WINDOW).repeat(4, 1).requires_grad_()
    z = compress(x, log_p, torch.ones(4, WINDOW, dtype=torch.bool))
    (z * torch.randn(z.shape, generator=random())).sum().backward()
    assert without_gradient(compress) == []
    assert x.grad.isfinite().all() and log_p.grad.isfinite().all() and log_p.grad.abs().sum() > 0


def test_the_vectors_have_their_places_in_a_segment_of_the_target_rate() -> None:
    config = level_config(vectors=2, window=8, target_rate=0.25)  # segments of four positions, 0 to 3
    assert config.places == (0.5, 2.5)


def test_attention_that_starts_local_looks_at_its_own_place_first_and_less_the_farther_away() -> None:
    wide, at = level_config(width=256, heads=2), torch.arange(12.0)

    def scores(locality: float) -> Tensor:
        attention = _made(Compressor(wide), locality).encoder.blocks[0].attention
        query, key = attention._places(torch.zeros(1, 12, 256), None, (at, at))
        return query.detach() @ key.detach().T

    local = scores(1.0)
    assert (local.argmax(dim=1) == torch.arange(12)).all()
    by_distance = torch.stack([local.diagonal(distance).mean() for distance in range(6)])
    assert (by_distance.diff() < 0).all()
    assert (scores(0.0).argmax(dim=1) != torch.arange(12)).any()
    torch.testing.assert_close(scores(3.0), 9 * local, rtol=1e-4, atol=1e-3)


def test_a_vector_first_reads_the_positions_of_its_own_place() -> None:
    """A change at a segment's beginning moves the first vector more, against the last, than one at its end does."""
    compress = compressor(6.0)
    mask, log_p = torch.ones(64, WINDOW, dtype=torch.bool), torch.zeros(64, WINDOW)
    x = sphere_noise((64, WINDOW, WIDTH), random())
    before = compress(x, log_p, mask).unflatten(1, (VECTORS, WIDTH))
    last = round(CONFIG.places[-1])
    moved = []
    for place in (0, last):
        other = x.clone()
        other[:, place] = sphere_noise((64, WIDTH), random(9))
        moved.append((compress(other, log_p, mask).unflatten(1, (VECTORS, WIDTH)) - before).norm(dim=-1).mean(dim=0))
    assert moved[0][0] / moved[0][-1] > moved[1][0] / moved[1][-1]


def test_unrolling_keeps_the_places_of_one_pass() -> None:
    """Fed with what it wrote, the decoder gives the same in one pass, at places that are no whole numbers."""
    decoder = _made(CausalDecoder(WIDTH, CONFIG.heads, 2), 2.0)
    prompt, at = sphere_noise((3, 3, WIDTH), random()), torch.tensor([-2.0, 0.5, 2.5, 0.0, 1.0, 2.0])
    written = decoder.unroll(prompt, 4, at)
    whole = decoder(torch.cat([prompt, written[:, :-1]], dim=1), at=at)
    torch.testing.assert_close(whole[:, 2:], written, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(decoder.unroll(prompt, 4), written, atol=1e-3)


@pytest.mark.parametrize("locality", [0.0, 2.0])
@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
def test_denoised_segments_have_their_shapes_and_norms(decompressor: str, locality: float) -> None:
    out = denoiser(decompressor, locality)(sphere_noise((5, VECTORS * WIDTH), random()), torch.rand(5))
    assert out.x.shape == (5, WINDOW, WIDTH) and out.begin.shape == out.draft_begin.shape == (5, WINDOW)
    torch.testing.assert_close(out.x.norm(dim=-1), torch.full((5, WINDOW), radius(WIDTH)))
    for log_p in (out.log_p, out.draft_log_p):
        assert (log_p[:, 0] == 0).all() and (log_p.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("locality", [0.0, 2.0])
@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
def test_segments_are_denoised_independently(decompressor: str, locality: float) -> None:
    denoise = denoiser(decompressor, locality)
    z, t = sphere_noise((5, VECTORS * WIDTH), random()), torch.linspace(0, 1, 5)
    together, alone = denoise(z, t), denoise(z[2:3], t[2:3])
    torch.testing.assert_close(together.x[2:3], alone.x, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.begin[2:3], alone.begin, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("locality", [0.0, 2.0])
@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
def test_gradients_reach_all_of_the_denoiser(decompressor: str, locality: float) -> None:
    denoise = denoiser(decompressor, locality)
    z = sphere_noise((5, VECTORS * WIDTH), random()).requires_grad_()
    out = denoise(z, torch.rand(5, generator=random()))
    weights = random(3)
    total = sum((v * torch.randn(v.shape, generator=weights)).sum() for v in (out.x, out.log_p, out.draft_log_p))
    total.backward()
    assert without_gradient(denoise) == []
    assert z.grad.isfinite().all() and (z.grad.abs().sum(dim=1) > 0).all()


def test_the_noise_level_is_heard() -> None:
    denoise = denoiser()
    z = sphere_noise((3, VECTORS * WIDTH), random())
    low, high = (denoise(z, torch.full((3,), t)).x for t in (0.1, 0.9))
    assert not torch.allclose(low, high, atol=1e-3)


def windows(seed: int, count: int = 5) -> torch.Tensor:
    return sphere_noise((count, CONFIG.window, WIDTH), random(seed))


def test_a_flow_hears_vectors_noise_levels_and_estimates() -> None:
    predict = flow()
    x, estimate, known = (windows(seed).requires_grad_() for seed in range(3))
    with torch.no_grad():
        known[0, 0] = predict.vocabulary[3]  # so that a meaning is heard
    t = torch.full(x.shape[:2], 0.5)
    out = predict(x, t, estimate, known)
    assert out.shape == x.shape
    (out * torch.randn(out.shape, generator=random(3))).sum().backward()
    assert without_gradient(predict) == []
    assert all((leaf.grad.abs().sum(dim=2) > 0).all() for leaf in (x, estimate))
    last = CONFIG.window - BLOCK  # nothing sees the last block of what is known
    assert (known.grad[:, :last].abs().sum(dim=2) > 0).all() and not known.grad[:, last:].any()
    assert not torch.allclose(predict(x, 0 * t + 0.9, estimate, known), out, atol=1e-3)
    torch.testing.assert_close(predict(x[1:2], t[:1], estimate[1:2], known[1:2]), out[1:2], atol=1e-5, rtol=1e-4)


@given(st.integers(0, CONFIG.window - 1), st.booleans())
def test_a_hidden_block_sees_itself_and_what_is_known_before_it(at: int, hidden: bool) -> None:
    predict, x, known = flow(), windows(0), windows(1)
    t, nothing = torch.full(x.shape[:2], 0.5), torch.zeros_like(x)
    other, others = x.clone(), known.clone()
    (other if hidden else others)[:, at] = windows(2)[:, at]
    before, after = predict(x, t, nothing, known), predict(other, t, nothing, others)
    changed = (before - after).abs().amax(dim=(0, 2)) > 1e-4
    block = torch.arange(CONFIG.window) // BLOCK
    assert torch.equal(changed, block == at // BLOCK if hidden else block > at // BLOCK)


@pytest.mark.parametrize("start", range(0, 8, 2))
def test_a_flow_asks_the_same_block_by_block_as_for_all(start: int) -> None:
    """As it was trained, all blocks in one pass, so it samples: one block after the known ones."""
    assert CONFIG.window == 8 and BLOCK == 2
    predict, x, known, estimate = flow(), windows(0), windows(1), windows(2)
    t, now = torch.full(x.shape[:2], 0.7), slice(start, start + BLOCK)
    alone = predict(x[:, now], t[:, now], estimate[:, now], known[:, :start], start)
    torch.testing.assert_close(alone, predict(x, t, estimate, known)[:, now], atol=1e-5, rtol=1e-4)


def test_what_is_expected_lies_between_the_candidates() -> None:
    """Two candidates of width 4: logits are inner products over 2, and what is seen more often is likelier."""
    vectors = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    candidates = Candidates(vectors, torch.zeros(2))
    asked = torch.tensor([[math.log(3.0), 0.0, 0.0, 0.0]])
    torch.testing.assert_close(scores(asked, candidates), torch.tensor([[math.log(3.0), 0.0]]))
    torch.testing.assert_close(expected(asked, candidates), torch.tensor([[1.5, 0.5, 0.0, 0.0]]))
    torch.testing.assert_close(expected(asked, candidates, 0.5), torch.tensor([[1.8, 0.2, 0.0, 0.0]]))
    common = Candidates(vectors, torch.tensor([0.0, math.log(9.0)]))
    torch.testing.assert_close(expected(asked, common), torch.tensor([[0.5, 1.5, 0.0, 0.0]]))


@pytest.mark.parametrize("sees", ["left", "past", "both"])
@given(st.integers(2, 30), seeds)
def test_a_splitter_depends_on_what_it_sees(sees: str, length: int, seed: int) -> None:
    cut = _made(Splitter(level_config(splitter_sees=sees)))
    x = sphere_noise((1, length, WIDTH), random(seed))
    at = seed % length
    other = torch.cat([x[:, :at], sphere_noise((1, length - at, WIDTH), random(seed + 1))], dim=1)
    real = torch.ones(1, length, dtype=torch.bool)
    same = {"left": at + 1, "past": at, "both": 0}[sees]  # begins that see nothing of what differs
    found, wanted = cut(other, real), cut(x, real)
    torch.testing.assert_close(found[:, :same], wanted[:, :same], atol=1e-5, rtol=1e-4)
    if same < length and sees != "both":
        assert not torch.allclose(found[:, same], wanted[:, same], atol=1e-6)


@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
@pytest.mark.parametrize("bias", [-80.0, 80.0])
def test_certain_begins_leave_the_denoiser_finite(decompressor: str, bias: float) -> None:
    denoise = denoiser(decompressor)
    nn.init.constant_(denoise.begin_bias, bias)
    out = denoise(sphere_noise((3, VECTORS * WIDTH), random()), torch.rand(3, generator=random()))
    (out.x.square().sum() * 1e-3 + out.log_p.sum() + (out.x[..., 0] ** 3).sum()).backward()
    gradients = [p.grad for p in denoise.parameters() if p.grad is not None]
    assert out.x.isfinite().all() and all(g.isfinite().all() for g in gradients)


def test_time_features_tell_noise_levels_apart() -> None:
    t = torch.linspace(0, 1, 101)
    features = time_features(t, 16)
    assert features.shape == (101, 16) and features.abs().max() <= 1
    assert torch.cdist(features, features).add(torch.eye(101) * 9).min() > 0.01
    torch.testing.assert_close(features[50, 0], torch.tensor(math.sin(0.5)))
