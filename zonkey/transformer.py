"""Pre-norm transformer blocks over windows. Shapes: S sequences, Q positions, D width."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.checkpoint import checkpoint

from zonkey.attention import Attention, LocalAttention, Seen, causal_bias

Places = Float[Tensor, "*S Q"] | None
Real = Bool[Tensor, "S _"] | None  # of the positions before; None: all
QUIET = ("mlp.down", "attention.out", "cross.out")  # ends of residual branches: half the usual scale at the start


class MLP(nn.Module):
    """Two linear layers with a ReLU between, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S D"]:
        return self.down(relu(self.up(x), inplace=True))


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x). What is inside may be computed again in the backward pass."""

    again = False

    def __init__(self, width: int, attention: Attention | LocalAttention) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)])
        self.attention = attention
        self.mlp = MLP(width)

    def forward(
        self, x: Float[Tensor, "S Q D"], bias: Float[Tensor, "..."], keep: slice | None = None, at: Places = None
    ) -> Float[Tensor, "S ... D"]:
        """All positions, or those to ``keep``, which still attend to all; they stand in order, or ``at`` places."""
        if self.again and torch.is_grad_enabled():
            return cast(Tensor, checkpoint(self._forward, x, bias, keep, at, use_reentrant=False))
        return self._forward(x, bias, keep, at)

    def _forward(self, x: Tensor, bias: Tensor, keep: slice | None, at: Places) -> Tensor:
        normed = self.norms[0](x)
        attention = cast(Attention, self.attention)
        if keep is None:
            x = x + (self.attention(normed, bias) if at is None else attention(normed, bias, None, (at, at)))
        else:
            at = torch.arange(x.shape[1], device=x.device, dtype=torch.float32) if at is None else at
            x = x[:, keep] + attention(normed[:, keep], bias[..., keep, :], normed, (at[keep], at))
        return x + self.mlp(self.norms[1](x))

    def extend(
        self, x: Float[Tensor, "S Q D"], seen: Seen | None, at: Places = None, whole: bool = False, real: Real = None
    ) -> tuple[Float[Tensor, "S Q D"], Seen]:
        """New positions after those ``seen``, causal or one ``whole``; they are the next ones, or ``at`` places."""
        attended, seen = cast(Attention, self.attention).extend(self.norms[0](x), seen, at, whole, real)
        x = x + attended
        return x + self.mlp(self.norms[1](x)), seen


class Encoder(nn.Module):
    """Blocks that share one bias, then a norm. The last computes only the positions to ``keep``."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(width, Attention(width, heads)) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, bias=False)

    def forward(
        self, x: Float[Tensor, "S Q D"], bias: Float[Tensor, "..."], keep: slice | None = None, at: Places = None
    ) -> Float[Tensor, "S ... D"]:
        x = lower_precision(x)
        for block in self.blocks[:-1]:
            x = block(x, bias, at=at)
        return self.norm(self.blocks[-1](x, bias, keep, at))

    def extend(
        self, x: Float[Tensor, "S Q D"], seen: Sequence[Seen | None], at: Places = None, real: Real = None
    ) -> tuple[Float[Tensor, "S Q D"], list[Seen]]:
        """A block of positions that see one another and those ``seen`` before, which were computed without them."""
        x, after = lower_precision(x), []
        for block, past in zip(cast(Sequence[Block], self.blocks), seen, strict=True):
            x, grown = block.extend(x, past, at, True, real)
            after.append(grown)
        return self.norm(x), after


class CausalDecoder(nn.Module):
    """An encoder in which no position sees a later one; unrolls in one pass or vector by vector."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.encoder = Encoder(width, heads, layers)

    def forward(
        self, x: Float[Tensor, "S Q D"], keep: slice | None = None, at: Places = None
    ) -> Float[Tensor, "S ... D"]:
        """One pass; only the positions to ``keep`` are returned."""
        return self.encoder(x, causal_bias(x.shape[1], x.device), keep, at)

    def unroll(
        self, prompt: Float[Tensor, "S Q D"], steps: int, at: Float[Tensor, " P"] | None = None
    ) -> Float[Tensor, "S L D"]:
        """Feed every output back as the next input, ``steps`` times (paper); gradients flow through all.

        ``at`` has a place for each position of the prompt and each step but the last.
        """
        blocks = cast(Sequence[Block], self.encoder.blocks)
        seen: list[Seen | None] = [None] * len(blocks)
        out, new, done = [], prompt, 0
        for _ in range(steps):
            x = lower_precision(new)
            places = None if at is None else at[done : done + x.shape[1]]
            done += x.shape[1]
            for number, block in enumerate(blocks):
                x, seen[number] = block.extend(x, seen[number], places)
            new = self.encoder.norm(x[:, -1:])
            out.append(new)
        return torch.cat(out, dim=1)


def lower_precision(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The residual stream in autocast's type, where it is on: element-wise work is bound by memory."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


def time_features(t: Float[Tensor, " S"], width: int) -> Float[Tensor, "S D"]:
    """Sines and cosines of the noise level at geometrically spaced rates."""
    rate = torch.exp(torch.linspace(0.0, math.log(1000.0), width // 2, device=t.device))
    angle = t[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def initialise(module: nn.Module) -> None:
    """The one place of initialisation: LeCun-normal matrices, zero biases, quiet residual outputs."""
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv1d):
            fan_in = part.weight[0].numel()
            scale = 0.5 if name.endswith(QUIET) else 1.0
            nn.init.normal_(part.weight, std=scale * fan_in**-0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def recompute(module: nn.Module) -> None:
    """Keep no activations of its blocks in training; they are computed once more in the backward pass."""
    for part in module.modules():
        if isinstance(part, Block):
            part.again = True


@torch.no_grad()
def start_local(module: nn.Module, factor: float) -> None:
    """Attention starts by looking near its own place: queries and keys map positions alike, times ``factor``."""
    for part in module.modules():
        if isinstance(part, Attention):
            query, key = part.place.weight.chunk(2)
            key.copy_(query)
            part.place.weight.mul_(factor)
