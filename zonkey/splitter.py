"""Segment Splitter: the begin logit of every position (paper, section of that name).

Shapes: B documents, N positions, D width, K kinds of mark, M segments of a document.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from zonkey.attention import MASKED, LocalAttention, local_bias
from zonkey.config import LevelConfig
from zonkey.existence import Segments, real_positions
from zonkey.transformer import Block

KERNELS = (3, 5, 7, 9)
CERTAIN = 30.0  # size of the logit of a begin that is not learned
SPACES = b" \t\r\n"
MEMORY = 0.98  # of what was seen of a step, kept in the next
STOPS = b".!?"
CLOSING = b"\"')]"


class Splitter(nn.Module):
    """A local-attention encoder and convolutions of widths 3, 5, 7, 9 feed one linear logit.

    The bias starts at logit(2 / L), so that training starts from segments of sane length. The paper's splitter sees
    both sides of a position. ``splitter_sees: past`` hides what follows it, and ``left`` the position as well (both
    depart from the paper): a segment then ends with what tells its end, instead of beginning with it. Begins that were
    moved to the left depend on as many positions more.

    Reconstruction finds a mark that units have in common, and begins at some constant distance from it; which one is
    left to chance; what draws begins may leave as much. So all are moved once (:meth:`settle`), by at most
    ``splitter_moves`` positions, to where most calls for a begin (departs from the paper).
    """

    moved: Tensor
    signal: Tensor

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.radius, self.sees = config.splitter_radius, config.splitter_sees
        width, heads = config.width, config.heads
        self.blocks = nn.ModuleList(
            [Block(width, LocalAttention(width, heads, self.radius)) for _ in range(config.splitter_layers)]
        )
        channels = max(width // 4, 8)
        self.convolutions = nn.ModuleList([nn.Conv1d(width, channels, k) for k in KERNELS])
        self.norm = nn.LayerNorm(width, bias=False)
        self.begin = nn.Linear(width + channels * len(KERNELS), 1)
        self.bias = nn.Parameter(torch.tensor(math.log(2 / config.window / (1 - 2 / config.window))))
        self.moves = config.splitter_moves
        if self.moves:
            self.register_buffer("moved", torch.zeros(()))  # positions, negative to the left
            self.register_buffer("signal", torch.zeros(2 * self.moves + 1))  # by distance from begins

    def forward(self, x: Float[Tensor, "B N D"], real: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        x = torch.where(real[..., None], x, 0.0)
        bias = local_bias(real, self.radius)
        if self.sees == "left":
            x = pad(x, (0, 0, 1, 0))[:, :-1]
        if self.sees != "both":
            at = torch.arange(3 * self.radius, device=x.device)
            bias = bias.masked_fill(at > at[: self.radius, None] + self.radius, MASKED)
        for block in self.blocks:
            x = block(x, bias)
        x = torch.where(real[..., None], self.norm(x), 0.0)
        features = x.transpose(1, 2)
        around = [(k // 2, k // 2) if self.sees == "both" else (k - 1, 0) for k in KERNELS]
        parts = [convolve(pad(features, room)) for convolve, room in zip(self.convolutions, around, strict=True)]
        found = torch.cat(parts, dim=1).relu().transpose(1, 2)
        logits = (self.begin(torch.cat([x, found], dim=-1))[..., 0] + self.bias).float()
        return self._move(logits, real) if self.moves else logits

    def _move(self, logits: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
        """What was found for one position holds for another; none is moved in from outside the text."""
        count = logits.shape[1]
        source = torch.arange(count, device=logits.device) - self.moved.long()
        at = source.clamp(0, count - 1)
        return torch.where((source == at) & real[:, at], logits[:, at], -CERTAIN)

    @torch.no_grad()
    def observe(self, logits: Float[Tensor, "B N"], signal: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> None:
        """Remember how much calls for a begin (:class:`~zonkey.predictor.Foresight`) around begins: a running mean by
        distance. Nothing of texts too short for it, or where begins are not moved. Of several processes the first one's
        memory counts."""
        span = 2 * self.moves + 1
        if not self.moves or signal.shape[1] < span:
            return
        around = signal.unfold(1, span, 1)
        weight = torch.where(real.unfold(1, span, 1).all(dim=-1), logits.sigmoid()[:, self.moves : -self.moves], 0.0)
        mean = (weight[..., None] * around).sum(dim=(0, 1)) / weight.sum().clamp(min=1e-6)
        self.signal.lerp_(mean, 1 - MEMORY)

    @torch.no_grad()
    def settle(self) -> None:
        """Move all begins to the distance where most called for one, and forget; nothing where nothing was seen."""
        if self.moves:
            self.moved += self.signal.argmax() - self.moves * self.signal.any()
            self.signal.zero_()


def fixed_logits(
    config: LevelConfig, real: Bool[Tensor, "B N"], marks: Bool[Tensor, "K B N"] | None
) -> Float[Tensor, "B N"]:
    """Certain begins that are not learned: every 1 / target_rate positions (that is no whole number: now one more,
    now one less), or at the first kind of ``marks``.

    Raises:
        ValueError: it splits at spaces, and there are no marks.
    """
    if config.splitting == "stride":
        number = (torch.arange(real.shape[1], device=real.device, dtype=torch.float64) * config.target_rate).floor()
        begins = (number.diff(prepend=number[:1] - 1) > 0).expand_as(real)
    elif marks is None:
        raise ValueError("splitting is 'spaces', which needs the whole text; for texts with gaps use 'learned'")
    else:
        begins = marks[0]
    return torch.where(begins & real, CERTAIN, -CERTAIN)


def marks_of(tokens: Int[Tensor, "B N"], lengths: Int[Tensor, " B"]) -> Bool[Tensor, "3 B N"]:
    """Where the oracle cuts: runs of white space begin; those after a sentence's end or with a new line; those with
    a new line. One kind for each level, the last for all above."""
    real = real_positions(lengths, tokens.shape[1])
    space = _among(tokens, SPACES) & real
    run = space & ~_before(space)
    closed = _among(tokens, STOPS)
    closed = closed | (_among(tokens, CLOSING) & _before(closed))
    line = run & (tokens == ord("\n"))
    return torch.stack([run, run & _before(closed) | line, line])


def rise(
    marks: Bool[Tensor, "K B N"] | None, segments: Segments, slot: Int[Tensor, "B M"]
) -> Bool[Tensor, "J B M"] | None:
    """The marks of the level above: of the positions where its positions begin, from the next kind on."""
    if marks is None:
        return None
    return marks[min(1, len(marks) - 1) :].flatten(1)[:, segments.index[:, 0]][:, slot]


def _among(tokens: Int[Tensor, "B N"], values: bytes) -> Bool[Tensor, "B N"]:
    return torch.isin(tokens, torch.tensor(list(values), device=tokens.device))


def _before(flags: Bool[Tensor, "B N"]) -> Bool[Tensor, "B N"]:
    """Of every position, the flag of the one before it."""
    return nn.functional.pad(flags[:, :-1], (1, 0))
