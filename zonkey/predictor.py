"""What comes next, told from the positions before: where that is hard, a segment begins.

Departs from the paper, whose splitter learns from reconstruction alone. Any cheap mark at the right rate serves
reconstruction; that words begin where the next letter is hard to foresee is an old finding (Harris 1955).

Shapes: B documents, N positions, D width, V candidates, K views.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu

from zonkey.config import LevelConfig
from zonkey.existence import NEVER, mean_of_real
from zonkey.sphere import SAME

SCALE = 4.0  # of the logits: they range over a few nats at the start
LIMIT = 1.5  # standard deviations of surprise that count at most: rare names must not outweigh everything


@dataclass(frozen=True)
class Foresight:
    """How well the positions of documents are foreseen."""

    loss: Float[Tensor, ""]  # nats a position
    surprise: Float[Tensor, "B N"]  # in standard deviations above the mean, 0 where not real; without gradient


class Predictor(nn.Module):
    """Vectors to come from the 1, 2, ... ``predictor_sees`` before a position: two linear layers with a ReLU between.

    ``predictor_ahead`` says which are foretold: 1 is the position itself. That it sees so little is meant: with a wide
    view the full stop after a known sentence is no surprise. For the same reason it foretells all from every narrower
    view, too, and what surprises is the mean over them: after "ury" a full stop is likely, after "y" it is not.
    """

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.sees, self.ahead = config.predictor_sees, config.predictor_ahead
        self.inside = nn.Linear(config.width * self.sees, 4 * config.width)
        self.out = nn.Linear(4 * config.width, config.width * len(self.ahead))

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        real: Bool[Tensor, "B N"],
        candidates: Float[Tensor, "V D"],
        ids: Int[Tensor, "B N"] | None = None,
    ) -> Foresight:
        """The true one among ``candidates`` is at ``ids``. Without ids all that are like it are right together; where
        none is, it is one more.

        The surprise of a position itself is the larger of what was expected from the left (entropy) and what came
        (negative log-likelihood): the first marks the letter after a space, whichever it is, the second a full stop.
        Of positions further on only what was expected counts, in the mean over them. All this holds for every view;
        the mean over views, each in its own deviations, is taken in deviations once more. No gradient reaches ``x``
        or ``candidates``.
        """
        x = torch.where(real[..., None], x.detach(), 0.0)
        foretold = self.out(relu(self.inside(self._views(x)))).float().chunk(len(self.ahead), dim=-1)
        x, real = x.repeat(self.sees, 1, 1), real.repeat(self.sees, 1)
        ids = None if ids is None else ids.repeat(self.sees, 1)
        unit = normalize(candidates.detach().float(), dim=-1)
        losses = []
        signals, counted = (torch.zeros_like(real, dtype=kind) for kind in (torch.float32, torch.long))
        for vector, ahead in zip(foretold, self.ahead, strict=True):
            later = ahead - 1
            there = pad(real, (0, later))[:, later:]
            goal = pad(x, (0, 0, 0, later))[:, later:]
            came, expected = _nats(vector, goal, unit, None if ids is None else pad(ids, (0, later))[:, later:])
            losses.append(mean_of_real(came, there))
            signal = torch.maximum(expected, came.detach()) if ahead == 1 else expected
            signals, counted = signals + torch.where(there, signal, 0.0), counted + there
        told = (counted > 0).chunk(self.sees)
        views = zip((signals / counted.clamp(min=1)).chunk(self.sees), told, strict=True)
        each = [_standardised(one, there) for one, there in views]
        surprise = each[0] if self.sees == 1 else _standardised(torch.stack(each).mean(dim=0), told[0])
        return Foresight(torch.stack(losses).mean(), surprise)

    def _views(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "KB N KD"]:
        """The positions before each, nearest first: the nearest alone, then one more, to all (K views of K)."""
        before = [pad(x, (0, 0, k, 0))[:, : x.shape[1]] for k in range(1, self.sees + 1)]
        hidden = [torch.zeros_like(x)] * (self.sees - 1)
        return torch.cat([torch.cat([*before[:k], *hidden[k - 1 :]], dim=-1) for k in range(1, self.sees + 1)])


def _nats(
    foretold: Float[Tensor, "B N D"],
    goal: Float[Tensor, "B N D"],
    candidates: Float[Tensor, "V D"],
    ids: Int[Tensor, "B N"] | None,
) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N"]]:
    """What came, and without gradient what was expected: negative log-likelihood and entropy.

    Sampled candidates hold what is common many times. All that are alike are one outcome: else entropy would not say
    how uncertain the next is, but how much more is known of it than how common it is.
    """
    with torch.autocast(goal.device.type, enabled=False):
        goal = normalize(goal.float(), dim=-1)
        logits = SCALE * foretold @ candidates.T
        if ids is not None:
            log_p = logits.log_softmax(dim=-1)
            return -log_p.gather(-1, ids[..., None])[..., 0], _entropy(log_p)
        like = goal @ candidates.T > SAME
        absent = ~like.any(dim=-1, keepdim=True)
        own = (SCALE * (foretold * goal).sum(dim=-1, keepdim=True)).masked_fill(~absent, NEVER)
        every = torch.cat([own, logits], dim=-1)
        right = every.masked_fill(~torch.cat([absent, like], dim=-1), NEVER)
        came = every.logsumexp(dim=-1) - right.logsumexp(dim=-1)
        copies = (candidates @ candidates.T > SAME).sum(dim=-1)
        return came, _entropy(logits.log_softmax(dim=-1), copies.log())


@torch.no_grad()
def _entropy(
    log_p: Float[Tensor, "*shape V"], log_copies: Float[Tensor, " V"] | float = 0.0
) -> Float[Tensor, "*shape"]:
    """Nats, of outcomes that are listed ``copies`` times each."""
    return -(log_p.exp() * (log_p + log_copies)).sum(dim=-1)


def _standardised(x: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    mean = mean_of_real(x, real)
    deviation = mean_of_real((x - mean).square(), real).sqrt()
    return torch.where(real, ((x - mean) / (deviation + 1e-3)).clamp(-LIMIT, LIMIT), 0.0)
