"""Activations that are computed again in the backward pass: the same gradients, fewer tensors kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.model.build import TEXTS, bytes_batch, config, losses, model, random
from zonkey import Zonkey
from zonkey.train import stages
from zonkey.transformer import Block, recompute
from zonkey.variants import varied


def step(built: Zonkey) -> tuple[dict[str, torch.Tensor], int]:
    """Gradients of a joint step, and the bytes that were kept for them."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = built(*bytes_batch(TEXTS), losses(), random()).loss
    loss.backward()
    return {name: p.grad for name, p in built.named_parameters() if p.grad is not None}, sum(kept.values())


def test_the_gradients_are_the_same_and_less_is_kept() -> None:
    plain, sparing = model(2), model(2)
    recompute(sparing)
    (want, more), (found, less) = step(plain), step(sparing)
    assert want.keys() == found.keys()
    for name, gradient in want.items():
        torch.testing.assert_close(found[name], gradient, msg=name)
    assert less < 0.8 * more


@pytest.mark.parametrize("wanted", [True, False])
def test_the_parameter_reaches_every_block(wanted: bool) -> None:
    built = stages._model(varied(config(1), {"runtime.recompute": wanted}), 0, None, Path("no corpus is read"))
    blocks = [part for part in built.modules() if isinstance(part, Block)]
    assert blocks and all(part.again == wanted for part in blocks)
