"""Probabilistic Attention (paper, section of that name), causal and local attention.

Shapes: S sequences, Q queries, K keys, H heads, D width. Existence enters as an additive bias on the scores:
log P(k exists | q exists) = log p_k - log p_q for k > q and 0 for k <= q, because existence is nested.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

MASKED = -1e9  # finite, so that a row without any key gives no NaN; nothing reads such rows
SHORT = 64  # keys, up to which a processor's softmax is faster in float32 than in bfloat16, casts included

Seen = tuple[Float[Tensor, "S H _ d"], Float[Tensor, "S H _ d"]]  # keys and values of positions before


def existence_bias(log_p: Float[Tensor, "S L"], mask: Bool[Tensor, "S L"]) -> Float[Tensor, "S 1 L L"]:
    """Bias of self-attention in a window: later keys by their existence given the query's; unreal keys never."""
    later = torch.ones(log_p.shape[1], log_p.shape[1], dtype=torch.bool, device=log_p.device).triu(1)
    ratio = log_p[:, None, :] - log_p[:, :, None]
    bias = torch.where(later, ratio, 0.0)
    return torch.where(mask[:, None, :], bias, MASKED)[:, None]


def cross_bias(log_p: Float[Tensor, "S K"], mask: Bool[Tensor, "S K"]) -> Float[Tensor, "S 1 1 K"]:
    """Bias of attention to another window: each key by its own existence; unreal keys never."""
    return torch.where(mask, log_p, MASKED)[:, None, None]


def with_prompt(
    log_p: Float[Tensor, "S L"], mask: Bool[Tensor, "S L"], prompt: int
) -> tuple[Float[Tensor, "S P"], Bool[Tensor, "S P"]]:
    """Existence with ``prompt`` certain positions placed before (P = prompt + L)."""
    pad = (prompt, 0)
    return nn.functional.pad(log_p, pad), nn.functional.pad(mask, pad, value=True)


def position_features(position: Float[Tensor, "*S Q"], width: int, base: float = 1000.0) -> Float[Tensor, "*S Q D"]:
    """Sines and cosines of positions, which may be real numbers; gradients reach them."""
    rate = base ** (-torch.arange(width // 2, device=position.device, dtype=torch.float32) / (width // 2))
    angle = position[..., None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def attend(
    q: Float[Tensor, "S H Q d"], k: Float[Tensor, "S H K d"], v: Float[Tensor, "S H K d"], bias: Float[Tensor, "..."]
) -> Float[Tensor, "S H Q d"]:
    """softmax(q k / sqrt(d) + bias) v, by what is fastest for the device and the length (docs/performance.md).

    Windows are short: on a CPU plain products beat the fused kernel, and a softmax over some 20 numbers takes a third
    of the time in float32 that it takes in bfloat16. Over long rows the fused kernel wins in float32.
    """
    long = k.shape[2] > SHORT
    if q.is_cuda or (long and q.dtype == torch.float32):
        bias = bias.to(q.dtype).expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if not long:
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return (scores + bias.to(scores.dtype)).softmax(dim=-1).to(v.dtype) @ v


class Attention(nn.Module):
    """Gated multi-head attention with an additive bias; positions enter through queries and keys only.

    Self-attention without ``context``, cross-attention with it. A head's output is multiplied by a sigmoid gate
    computed from the query's input.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.inputs = nn.Linear(width, 3 * width + heads)  # queries, gates, keys, values
        self.place = nn.Linear(width, 2 * width, bias=False)  # of positions, into queries and keys
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self,
        x: Float[Tensor, "S Q D"],
        bias: Float[Tensor, "..."],
        context: Float[Tensor, "S K D"] | None = None,
        positions: tuple[Float[Tensor, "*S Q"], Float[Tensor, "*S K"]] | None = None,
    ) -> Float[Tensor, "S Q D"]:
        width, heads = self.width, self.heads
        if context is None:
            parts = self.project(x)
        else:
            cuts = [width + heads, 2 * width]
            weights, shifts = self.inputs.weight.split(cuts), self.inputs.bias.split(cuts)
            own = nn.functional.linear(x, weights[0], shifts[0])
            other = nn.functional.linear(context, weights[1], shifts[1])
            parts = (*own.split([width, heads], dim=-1), *other.chunk(2, dim=-1))
        q, gate, k, v = parts
        at_query, at_key = self._places(x, context, positions)
        return self.finish(gate, bias, *(self.apart(part) for part in (q + at_query, k + at_key, v)))

    def extend(
        self,
        x: Float[Tensor, "S Q D"],
        seen: Seen | None,
        at: Float[Tensor, "*S Q"] | None = None,
        whole: bool = False,
        real: Bool[Tensor, "S _"] | None = None,
    ) -> tuple[Float[Tensor, "S Q D"], Seen]:
        """Attention of new positions (``at``; next ones if None) to those ``seen`` before (keys and values), and to
        one another: causal, unless they are one ``whole``. Of what is seen, all is ``real`` if None."""
        q, gate, k, v = self.project(x)
        before = 0 if seen is None else seen[0].shape[2]
        if at is None:
            at = torch.arange(before, before + x.shape[1], device=x.device, dtype=torch.float32)
        at_query, at_key = self.position_terms(at)
        q, k, v = (self.apart(part) for part in (q + at_query, k + at_key, v))
        if seen is not None:
            k, v = torch.cat([seen[0], k], dim=2), torch.cat([seen[1], v], dim=2)
        bias = causal_bias(before + x.shape[1], x.device)[:, :, before:]
        if whole:
            bias = torch.zeros_like(bias)
        if real is not None:
            known = nn.functional.pad(real, (0, x.shape[1]), value=True)
            bias = torch.where(known[:, None, None], bias, MASKED)
        return self.finish(gate, bias, q, k, v), (k, v)

    def _places(
        self, x: Tensor, context: Tensor | None, positions: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        if positions is not None:
            query, key = (position_features(at, self.width) for at in positions)
            return self.place(query)[..., : self.width], self.place(key)[..., self.width :]
        longest = max(x.shape[1], 0 if context is None else context.shape[1])
        at = torch.arange(longest, device=x.device, dtype=torch.float32)
        query, key = self.position_terms(at)
        return query[: x.shape[1]], key[: x.shape[1] if context is None else context.shape[1]]

    def project(
        self, x: Float[Tensor, "S Q D"]
    ) -> tuple[Float[Tensor, "S Q D"], Float[Tensor, "S Q H"], Float[Tensor, "S Q D"], Float[Tensor, "S Q D"]]:
        """Queries, gates (one a head), keys and values."""
        q, gate, k, v = self.inputs(x).split([self.width, self.heads, self.width, self.width], dim=-1)
        return q, gate, k, v

    def position_terms(self, at: Float[Tensor, "*S Q"]) -> tuple[Float[Tensor, "*S Q D"], Float[Tensor, "*S Q D"]]:
        """What positions add to queries and to keys."""
        query, key = self.place(position_features(at, self.width)).chunk(2, dim=-1)
        return query, key

    def apart(self, x: Float[Tensor, "S Q D"]) -> Float[Tensor, "S H Q d"]:
        """By heads."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def finish(
        self,
        gate: Float[Tensor, "S Q H"],
        bias: Float[Tensor, "..."],
        q: Float[Tensor, "S H Q d"],
        k: Float[Tensor, "S H K d"],
        v: Float[Tensor, "S H K d"],
    ) -> Float[Tensor, "S Q D"]:
        """Attend, put heads together, gate, and the last product. Gates are spread over a head's width first: a product
        with one number for some 16 others takes ten times as long on a processor."""
        out = attend(q, k, v, bias).transpose(1, 2).flatten(2)
        return self.out(out * gate.sigmoid().repeat_interleave(self.width // self.heads, dim=-1))


def causal_bias(length: int, device: torch.device) -> Float[Tensor, "1 1 Q Q"]:
    """No query sees a later key."""
    later = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)
    return torch.where(later, MASKED, 0.0)[None, None]


def to_blocks(x: Float[Tensor, "B N D"], radius: int) -> Float[Tensor, "BK R3 D"]:
    """Every block of ``radius`` positions together with the blocks before and after it (R3 = 3 radius)."""
    pad = -x.shape[1] % radius
    blocks = nn.functional.pad(x, (0, 0, radius, radius + pad)).unflatten(1, (-1, radius))
    return torch.cat([blocks[:, :-2], blocks[:, 1:-1], blocks[:, 2:]], dim=2).flatten(0, 1)


def local_bias(real: Bool[Tensor, "B N"], radius: int) -> Float[Tensor, "BK 1 R R3"]:
    """Inside blocks: keys at most ``radius`` away from the query, and real."""
    keys = to_blocks(real[..., None].float(), radius)[..., 0] > 0
    at = torch.arange(3 * radius, device=real.device)
    near = (at[None, :] - radius - at[:radius, None]).abs() <= radius
    return torch.where(near & keys[:, None, :], 0.0, MASKED)[:, None]


class LocalAttention(nn.Module):
    """Attention to the positions at most ``radius`` away, in blocks: linear in N."""

    def __init__(self, width: int, heads: int, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.attention = Attention(width, heads)

    def forward(self, x: Float[Tensor, "B N D"], bias: Float[Tensor, "BK 1 R R3"]) -> Float[Tensor, "B N D"]:
        """Keys and values are computed once for each position, then laid out in blocks."""
        batch, length, _ = x.shape
        radius, core = self.radius, self.attention
        q, gate, k, v = core.project(x)
        q, gate = (nn.functional.pad(part, (0, 0, 0, -length % radius)) for part in (q, gate))
        q, gate = (part.unflatten(1, (-1, radius)).flatten(0, 1) for part in (q, gate))
        at = torch.arange(3 * radius, device=x.device, dtype=torch.float32)
        at_query, at_key = core.position_terms(at)
        q, k, v = q + at_query[radius : 2 * radius], to_blocks(k, radius) + at_key, to_blocks(v, radius)
        out = core.finish(gate, bias, *(core.apart(part) for part in (q, k, v)))
        return out.unflatten(0, (batch, -1)).flatten(1, 2)[:, :length]
