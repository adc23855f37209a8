"""Limits of Probabilistic Attention, and its forms against plain references."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.model.build import random
from zonkey.attention import (
    MASKED,
    Attention,
    LocalAttention,
    attend,
    causal_bias,
    cross_bias,
    existence_bias,
    local_bias,
    with_prompt,
)
from zonkey.existence import real_positions
from zonkey.transformer import CausalDecoder, Encoder, initialise

seeds = st.integers(0, 2**31)
WIDTH, HEADS = 8, 2


def existences(length: int, seed: int, rows: int = 3) -> Tensor:
    """Log existences that start at 0 and fall."""
    keep = torch.rand(rows, length, generator=random(seed)).clamp(min=1e-4)
    keep[:, 0] = 1
    return keep.log().cumsum(dim=1)


def made(kind: type[torch.nn.Module], *arguments: int, seed: int = 0) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = kind(*arguments)
        initialise(module)
        for parameter in module.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter)
    return module.eval()


def plain(q: Tensor, k: Tensor, v: Tensor, weight: Tensor) -> Tensor:
    """sum_k weight exp(score) v / sum_k weight exp(score), one query after another."""
    out = torch.zeros_like(q)
    for s, h, i in torch.cartesian_prod(*(torch.arange(n) for n in q.shape[:3])).tolist():
        score = (k[s, h] @ q[s, h, i] / math.sqrt(q.shape[-1])).exp() * weight[s, i]
        out[s, h, i] = (score[:, None] * v[s, h]).sum(dim=0) / score.sum()
    return out


@given(st.integers(1, 9), seeds)
def test_bias_is_the_chance_of_the_key_given_the_query(length: int, seed: int) -> None:
    log_p = existences(length, seed)
    mask = torch.ones_like(log_p, dtype=torch.bool)
    bias = existence_bias(log_p, mask)
    assert bias.shape == (3, 1, length, length)
    p = log_p.double().exp()
    for s in range(3):
        for q in range(length):
            for k in range(length):
                both = float(min(p[s, k], p[s, q]))  # nested: the later of two exists only if the earlier does
                want = both / float(p[s, q])
                assert float(bias[s, 0, q, k].exp()) == pytest.approx(want, rel=1e-4)


@given(st.integers(1, 7), seeds)
def test_attention_equals_a_loop_over_weights(length: int, seed: int) -> None:
    q, k, v = torch.randn(3, 3, HEADS, length, 4, generator=random(seed))
    log_p = existences(length, seed)
    p = log_p.exp()
    weight = torch.ones(3, length, length)
    for i in range(length):
        for j in range(i + 1, length):
            weight[:, i, j] = p[:, j] / p[:, i]
    got = attend(q, k, v, existence_bias(log_p, torch.ones_like(log_p, dtype=torch.bool)))
    torch.testing.assert_close(got, plain(q, k, v, weight), atol=1e-5, rtol=1e-4)


@given(st.integers(1, 8), st.integers(0, 6), seeds)
def test_certain_existence_is_ordinary_masked_attention(real: int, more: int, seed: int) -> None:
    """p in {0, 1}: the first ``real`` positions exist, the rest have p = 0 exactly."""
    q, k, v = torch.randn(3, 2, HEADS, real + more, 4, generator=random(seed))
    mask = (torch.arange(real + more) < real).expand(2, -1)
    got = attend(q, k, v, existence_bias(torch.zeros(2, real + more), mask))
    want = torch.nn.functional.scaled_dot_product_attention(q[:, :, :, :], k[:, :, :real], v[:, :, :real])
    torch.testing.assert_close(got[:, :, :real], want[:, :, :real], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("far", [-80.0, -1e4])
def test_almost_no_existence_comes_near_to_none(far: float) -> None:
    """As p of the later positions goes to 0, earlier queries stop seeing them."""
    q, k, v = torch.randn(3, 2, HEADS, 6, 4, generator=random())
    log_p = torch.tensor([0.0, 0.0, 0.0, far, far, far]).expand(2, -1)
    mask = torch.ones(2, 6, dtype=torch.bool)
    got = attend(q, k, v, existence_bias(log_p, mask))[:, :, :3]
    want = attend(q[:, :, :3], k[:, :, :3], v[:, :, :3], torch.zeros(1))
    torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-5)


@given(st.integers(1, 8), st.integers(1, 6), seeds)
def test_positions_without_existence_change_nothing(length: int, more: int, seed: int) -> None:
    encoder = made(Encoder, WIDTH, HEADS, 2)
    x = torch.randn(3, length + more, WIDTH, generator=random(seed))
    log_p = torch.nn.functional.pad(existences(length, seed), (0, more))
    mask = (torch.arange(length + more) < length).expand(3, -1)
    got = encoder(x, existence_bias(log_p, mask))[:, :length]
    want = encoder(x[:, :length], existence_bias(log_p[:, :length], mask[:, :length]))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


@given(st.integers(1, 8), seeds)
def test_full_existence_is_ordinary_attention(length: int, seed: int) -> None:
    layer = made(Attention, WIDTH, HEADS)
    x = torch.randn(3, length, WIDTH, generator=random(seed))
    zero = torch.zeros(3, length)
    got = layer(x, existence_bias(zero, zero == 0))
    torch.testing.assert_close(got, layer(x, torch.zeros(1)), atol=1e-6, rtol=1e-5)


def test_rows_and_windows_that_are_not_real_stay_finite() -> None:
    encoder = made(Encoder, WIDTH, HEADS, 1)
    x = torch.randn(2, 5, WIDTH, generator=random(), requires_grad=True)
    out = encoder(x, existence_bias(torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.bool)))
    out.square().sum().backward()
    assert out.isfinite().all() and x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize("least", [-80.0, -1000.0])
def test_gradients_are_finite_for_tiny_existence(least: float) -> None:
    layer = made(Attention, WIDTH, HEADS)
    log_p = torch.linspace(0, least, 7).expand(2, -1).clone().requires_grad_()
    x = torch.randn(2, 7, WIDTH, generator=random())
    layer(x, existence_bias(log_p, torch.ones(2, 7, dtype=torch.bool))).sum().backward()
    assert log_p.grad is not None and log_p.grad.isfinite().all()
    assert log_p.grad.abs().sum() > 0 or least < -80


def test_existence_is_learned_from_attention() -> None:
    """A value worth reading raises its key's existence: the gradient is that of a finite difference."""
    q, k = torch.zeros(2, 1, 1, 3, 2, dtype=torch.double)
    v = torch.tensor([[[[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]]], dtype=torch.double)
    mask = torch.ones(1, 3, dtype=torch.bool)
    start = torch.tensor([[0.0, -0.7, -1.9]], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda log_p: attend(q, k, v, existence_bias(log_p, mask)), (start,))


@given(st.integers(1, 6), st.integers(1, 6), seeds)
def test_cross_attention_weighs_keys_by_their_existence(queries: int, keys: int, seed: int) -> None:
    q, k, v = (torch.randn(3, HEADS, n, 4, generator=random(seed + n)) for n in (queries, keys, keys))
    log_p = existences(keys, seed)
    weight = log_p.exp()[:, None].expand(-1, queries, -1)
    got = attend(q, k, v, cross_bias(log_p, torch.ones_like(log_p, dtype=torch.bool)))
    torch.testing.assert_close(got, plain(q, k, v, weight), atol=1e-5, rtol=1e-4)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), seeds)
def test_cross_attention_ignores_keys_without_existence(queries: int, keys: int, more: int, seed: int) -> None:
    layer = made(Attention, WIDTH, HEADS)
    x = torch.randn(3, queries, WIDTH, generator=random(seed))
    context = torch.randn(3, keys + more, WIDTH, generator=random(seed + 1))
    log_p = torch.nn.functional.pad(existences(keys, seed), (0, more))
    mask = (torch.arange(keys + more) < keys).expand(3, -1)
    got = layer(x, cross_bias(log_p, mask), context)
    want = layer(x, cross_bias(log_p[:, :keys], mask[:, :keys]), context[:, :keys])
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def test_cross_attention_to_oneself_is_self_attention() -> None:
    layer = made(Attention, WIDTH, HEADS)
    x = torch.randn(3, 5, WIDTH, generator=random())
    torch.testing.assert_close(layer(x, torch.zeros(1), x), layer(x, torch.zeros(1)))


def test_positions_enter_queries_and_keys_only() -> None:
    """With queries and keys cut off, order does not matter; with them it does."""
    layer = made(Attention, WIDTH, HEADS)
    x = torch.randn(1, 5, WIDTH, generator=random())
    turned = x.flip(1)
    assert not torch.allclose(layer(turned, torch.zeros(1)).flip(1), layer(x, torch.zeros(1)), atol=1e-3)
    torch.nn.init.zeros_(layer.place.weight)
    torch.testing.assert_close(layer(turned, torch.zeros(1)).flip(1), layer(x, torch.zeros(1)))


def test_a_closed_gate_silences_its_head() -> None:
    layer = made(Attention, WIDTH, HEADS)
    x = torch.randn(2, 4, WIDTH, generator=random())
    gates = slice(WIDTH, WIDTH + HEADS)
    with torch.no_grad():
        layer.inputs.weight[gates] = 0
        layer.inputs.bias[gates] = torch.tensor([-1000.0, 1000.0])
        layer.out.weight.copy_(torch.eye(WIDTH))
        out = layer(x, torch.zeros(1))
        layer.inputs.bias[gates] = torch.tensor([0.0, 1000.0])
        half = layer(x, torch.zeros(1))
        layer.inputs.bias[gates] = 1000.0
        full = layer(x, torch.zeros(1))
    assert (out[..., : WIDTH // 2] == 0).all()
    torch.testing.assert_close(out[..., WIDTH // 2 :], full[..., WIDTH // 2 :])
    torch.testing.assert_close(half[..., : WIDTH // 2], full[..., : WIDTH // 2] / 2)


def test_prompts_exist() -> None:
    log_p, mask = with_prompt(torch.full((2, 3), -5.0), torch.zeros(2, 3, dtype=torch.bool), 2)
    assert log_p.tolist() == [[0, 0, -5, -5, -5]] * 2 and mask.tolist() == [[True, True, False, False, False]] * 2


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 20), seeds)
def test_local_attention_is_full_attention_in_a_band(length: int, radius: int, end: int, seed: int) -> None:
    local = made(LocalAttention, WIDTH, HEADS, radius)
    x = torch.randn(2, length, WIDTH, generator=random(seed))
    real = real_positions(torch.tensor([length, min(end, length)]), length)
    at = torch.arange(length)
    band = ((at[:, None] - at).abs() <= radius) & real[:, None, :]
    # sines of positions relative to the block differ from absolute ones, so places are silenced here
    torch.nn.init.zeros_(local.attention.place.weight)
    got = local(x, local_bias(real, radius))
    want = local.attention(x, torch.where(band, 0.0, MASKED)[:, None])
    torch.testing.assert_close(got[real], want[real], atol=1e-5, rtol=1e-4)


@given(st.integers(2, 12), seeds)
def test_no_query_sees_a_later_key(length: int, seed: int) -> None:
    decoder = made(CausalDecoder, WIDTH, HEADS, 2)
    x = torch.randn(1, length, WIDTH, generator=random(seed))
    changed = x.clone()
    changed[:, length // 2 :] *= torch.linspace(-1, 1, WIDTH)
    before, after = decoder(x), decoder(changed)
    torch.testing.assert_close(before[:, : length // 2], after[:, : length // 2])
    assert not torch.allclose(before[:, -1], after[:, -1])
    assert (causal_bias(length, x.device)[0, 0] == 0).sum() == length * (length + 1) // 2


@given(st.integers(1, 5), st.integers(1, 6), seeds)
def test_unrolling_with_a_cache_equals_recomputing(prompt: int, steps: int, seed: int) -> None:
    decoder = made(CausalDecoder, WIDTH, HEADS, 2)
    x = torch.randn(2, prompt, WIDTH, generator=random(seed))
    whole = x
    for _ in range(steps):
        whole = torch.cat([whole, decoder(whole)[:, -1:]], dim=1)
    torch.testing.assert_close(decoder.unroll(x, steps), whole[:, prompt:], atol=1e-4, rtol=1e-4)


def test_attention_in_lower_precision_is_near() -> None:
    encoder = made(Encoder, WIDTH, HEADS, 2)
    x = torch.randn(3, 6, WIDTH, generator=random())
    log_p = existences(6, 0)
    bias = existence_bias(log_p, torch.ones_like(log_p, dtype=torch.bool))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = encoder(x, bias)
    torch.testing.assert_close(low.float(), encoder(x, bias), atol=0.2, rtol=0.1)
