"""Why the model computes as it does: pairs of ways to the same numbers, in processor time of one thread.

The shapes are those of the reference step at level 0, 918 windows of 21 positions, width 64, 4 heads (half of a step),
and its largest matrices at level 1 for Muon.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.measure import Row
from zonkey.attention import attend
from zonkey.config import Config, RuntimeConfig
from zonkey.fit.muon import Muon
from zonkey.runtime import generator, start

S, H, Q, D = 918, 4, 21, 64
WORDS = torch.bfloat16


def operator(config: Config, make: Callable[[], Callable[[], object]], repeats: int = 9) -> Row:
    """Median processor time of one call."""
    start(RuntimeConfig.model_validate(config.runtime.model_dump() | {"threads": 1, "device": "cpu"}))
    work = make()
    spent = []
    for _ in range(repeats + 2):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return {"ms": 1000 * sorted(spent[2:])[repeats // 2]}


def drawn(*shape: int) -> Tensor:
    """Numbers that are the same in every run."""
    return torch.randn(shape, generator=generator(0)).to(WORDS)


def softmax(kind: torch.dtype) -> Callable[[], object]:
    """Of bfloat16 scores, forward and backward, computed in ``kind``; back to bfloat16."""
    scores, way = drawn(S, H, Q, Q).requires_grad_(), drawn(S, H, Q, Q)
    return lambda: torch.autograd.grad(scores.to(kind).softmax(dim=-1).to(WORDS), scores, way)


def gate(spread: bool) -> Callable[[], object]:
    """Heads together, times one number for each head; forward and backward."""
    out, gates, way = drawn(S, H, Q, D // H).requires_grad_(), drawn(S, Q, H).requires_grad_(), drawn(S, Q, D)

    def work() -> object:
        if spread:
            done = out.transpose(1, 2).flatten(2) * gates.repeat_interleave(D // H, dim=-1)
        else:
            done = (out * gates.transpose(1, 2)[..., None]).transpose(1, 2).flatten(2)
        return torch.autograd.grad(done, (out, gates), way)

    return work


def attention(fused: bool) -> Callable[[], object]:
    """With a bias that takes a gradient, forward and backward."""
    leaves = [part.requires_grad_() for part in (*(drawn(S, H, Q, D // H) for _ in range(3)), drawn(S, 1, Q, Q))]
    way = drawn(S, H, Q, D // H)

    def work() -> object:
        q, k, v, bias = leaves
        kernel = partial(scaled_dot_product_attention, attn_mask=bias.expand(S, H, Q, Q))
        return torch.autograd.grad(kernel(q, k, v) if fused else attend(q, k, v, bias), leaves, way)

    return work


def muon(kind: type[torch.optim.Optimizer], count: int, *shape: int) -> Callable[[], object]:
    """One step of ``count`` matrices."""
    matrices = [nn.Parameter(drawn(*shape).float()) for _ in range(count)]
    for matrix in matrices:
        matrix.grad = drawn(*shape).float()
    return kind(matrices, lr=0.0).step  # type: ignore[call-arg]


OPERATORS: dict[str, Callable[[], Callable[[], object]]] = {
    "softmax in bfloat16": partial(softmax, WORDS),
    "softmax in float32, with casts": partial(softmax, torch.float32),
    "gates, one number a head": partial(gate, False),
    "gates, spread first": partial(gate, True),
    "attention, fused kernel": partial(attention, True),
    "attention, as it is": partial(attention, False),
    "Muon, 16 of 64 x 256, one by one": partial(muon, torch.optim.Muon, 16, 64, 256),
    "Muon, 16 of 64 x 256, together": partial(muon, Muon, 16, 64, 256),
    "Muon, 16 of 256 x 1024, one by one": partial(muon, torch.optim.Muon, 16, 256, 1024),
    "Muon, 16 of 256 x 1024, together": partial(muon, Muon, 16, 256, 1024),
}
