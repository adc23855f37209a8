"""Writing with a causal model, entry by entry, several texts side by side.

Shapes: S texts, Q positions, D width, V entries of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from zonkey.attention import Seen
from zonkey.baselines.network import CausalNetwork
from zonkey.transformer import Block, lower_precision

Choose = Callable[[Float[Tensor, "S V"]], Int[Tensor, " S"]]


def greedy(logits: Float[Tensor, "S V"]) -> Int[Tensor, " S"]:
    """The likeliest."""
    return logits.argmax(dim=-1)


def sampled(generator: torch.Generator, temperature: float) -> Choose:
    """Drawn; below a temperature of 1 the likely are likelier.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")

    def choose(logits: Float[Tensor, "S V"]) -> Int[Tensor, " S"]:
        return torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator)[:, 0]

    return choose


@torch.no_grad()
def write(
    model: CausalNetwork, prompts: Sequence[np.ndarray], counts: Sequence[int], choose: Choose
) -> list[list[int]]:
    """At least ``counts`` bytes after each of ``prompts``, which are of one length: the ids.

    Where a text outgrows the model's context, it is read again from its later half on.
    """
    if not prompts or not max(counts):
        return [[] for _ in prompts]
    sizes = torch.from_numpy(model.sizes).to(model.device)
    wanted = torch.tensor(counts, device=model.device)
    ids = torch.from_numpy(np.stack(prompts)).to(model.device)
    before = ids.shape[1]
    tape = _Tape(model)
    new = tape.start(ids)
    while True:
        chosen = choose(tape.read(new).float())
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        if bool((sizes[ids[:, before:]].sum(1) >= wanted).all()):
            break
        kept = ids[:, ids.shape[1] - tape.positions :]  # the begin symbol is not in ids, the new entry is
        full = int(sizes[kept].sum(1).max()) >= model.config.context
        new = tape.start(ids) if full else chosen[:, None]
    return ids[:, before:].tolist()


class _Tape:
    """Keys and values of what has been read since the begin symbol."""

    def __init__(self, model: CausalNetwork) -> None:
        self.model = model
        self.blocks = cast(Sequence[Block], model.decoder.encoder.blocks)
        self.positions = 0

    def start(self, ids: Int[Tensor, "S Q"]) -> Int[Tensor, "S Q1"]:
        """What to read first: the begin symbol, and what fits into half of the context of the end of ``ids``."""
        self.seen: list[Seen | None] = [None] * len(self.blocks)
        self.positions = 0
        fits = self.model.sizes[ids.cpu().numpy()][:, ::-1].cumsum(1) <= self.model.config.context // 2
        count = int(fits.sum(1).min()) if len(ids) else 0
        return torch.nn.functional.pad(ids[:, ids.shape[1] - count :], (1, 0), value=self.model.begin)

    def read(self, new: Int[Tensor, "S Q"]) -> Float[Tensor, "S V"]:
        """Logits of the entry after ``new``, which comes after what was read before."""
        x = lower_precision(self.model.embed(new))
        for number, block in enumerate(self.blocks):
            x, self.seen[number] = block.extend(x, self.seen[number])
        self.positions += new.shape[1]
        return self.model.head(self.model.decoder.encoder.norm(x[:, -1]))
