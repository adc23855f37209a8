"""What comes next, told from the positions before: where that is hard, or where all of them but the last tell nothing
of it, a segment begins.

Departs from the paper, whose splitter learns from reconstruction alone. Any cheap mark at the right rate serves
reconstruction; that words begin where the next letter is hard to foresee is an old finding (Harris 1955).

Shapes: B documents, N positions, D width, V candidates, K views, H hidden units, A positions foretold.
"""

from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, normalize, pad, relu

from zonkey.config import LevelConfig
from zonkey.existence import NEVER, mean_of_real
from zonkey.sphere import SAME

SCALE = 4.0  # of the logits: they range over a few nats at the start
LIMIT = 1.5  # standard deviations that count at most: rare names must not outweigh everything


@dataclass(frozen=True)
class Foresight:
    """How well the positions of documents are foreseen."""

    loss: Float[Tensor, ""]  # nats a position
    signal: Float[Tensor, "B N"]  # how much calls for a begin, in deviations above the mean; 0 where not real


class Predictor(nn.Module):
    """Vectors to come from the 1, 2, ... ``predictor_sees`` before a position: two linear layers with a ReLU between.

    ``predictor_ahead`` says which are foretold: 1 is the position itself. ``predictor_finds`` says what calls for a
    begin there:

    - *surprise*: what comes is hard to foresee, on the mean over all views. That the widest sees so little is meant:
      with a wide view the full stop after a known sentence is no surprise, and even three bytes foresee one: after
      "ury" it is likely, after "y" it is not.
    - *independence*: the nearest position alone foresees what comes as well as the widest view does. After "of" what
      comes before tells much, after a full stop it tells nothing.
    """

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.sees, self.ahead, self.finds = config.predictor_sees, config.predictor_ahead, config.predictor_finds
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
        none is, it is one more. No gradient reaches ``x`` or ``candidates``, and the signal carries none."""
        x = torch.where(real[..., None], x.detach(), 0.0)
        foretold = self.out(relu(self._views(x))).float().chunk(len(self.ahead), dim=-1)
        unit = normalize(candidates.detach().float(), dim=-1)
        all_came, all_expected, all_there = [], [], []
        for vector, ahead in zip(foretold, self.ahead, strict=True):
            later = ahead - 1
            goal = pad(x, (0, 0, 0, later))[:, later:].repeat(self.sees, 1, 1)
            at = None if ids is None else pad(ids, (0, later))[:, later:].repeat(self.sees, 1)
            came, expected = _nats(vector, goal, unit, at)
            all_came.append(came.unflatten(0, (self.sees, -1)))
            all_expected.append(expected.unflatten(0, (self.sees, -1)))
            all_there.append(pad(real, (0, later))[:, later:])
        came, expected, there = torch.stack(all_came), torch.stack(all_expected), torch.stack(all_there)
        wide = there[:, None].expand_as(came)
        losses = [mean_of_real(nats.flatten(0, 1), its.flatten(0, 1)) for nats, its in zip(came, wide, strict=True)]
        with torch.no_grad():
            signal = self._surprise(came, expected, there) if self.finds == "surprise" else _independence(came, there)
        return Foresight(torch.stack(losses).mean(), signal)

    def _views(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "KB N H"]:
        """What is made of the positions before each: of the nearest alone, then of one more, to all (K views)."""
        before = [pad(x, (0, 0, k, 0))[:, : x.shape[1]] for k in range(1, self.sees + 1)]
        weights = self.inside.weight.chunk(self.sees, dim=1)
        seen = [linear(*one) for one in zip(before, weights, strict=True)]
        return torch.cat([view + self.inside.bias for view in accumulate(seen)])

    def _surprise(
        self, came: Float[Tensor, "A K B N"], expected: Float[Tensor, "A K B N"], there: Bool[Tensor, "A B N"]
    ) -> Float[Tensor, "B N"]:
        """The surprise of a position itself is the larger of what was expected from the left (entropy) and what came
        (negative log-likelihood): the first marks the letter after a space, whichever it is, the second a full stop. Of
        positions further on only what was expected counts. Of each view in its own deviations, the mean over views."""
        itself = torch.tensor([ahead == 1 for ahead in self.ahead], device=came.device)
        nats = torch.where(itself[:, None, None, None], torch.maximum(expected, came), expected)
        told = there.any(dim=0)
        each = [_standardised(view, told) for view in _mean_ahead(nats, there)]
        return each[0] if self.sees == 1 else _standardised(torch.stack(each).mean(dim=0), told)


def _independence(came: Float[Tensor, "A K B N"], there: Bool[Tensor, "A B N"]) -> Float[Tensor, "B N"]:
    """How little the widest view foretells better than the nearest position alone, in nats, and as the mean of three
    neighbours: what comes after the first word of a sentence depends on as little, so its begin is in the middle.
    The first two positions have no more than the nearest before them, which tells nothing of either."""
    at = torch.arange(came.shape[-1], device=came.device)
    told = there.any(dim=0) & (at > 1)
    gain = _standardised(_mean_ahead(came[:, -1:] - came[:, :1], there)[0], told)
    return _standardised(pad(gain, (1, 1)).unfold(1, 3, 1).mean(dim=-1), told)


def _mean_ahead(x: Float[Tensor, "A K B N"], there: Bool[Tensor, "A B N"]) -> Float[Tensor, "K B N"]:
    """The mean over what is there of the positions foretold; 0 where nothing is."""
    return torch.where(there[:, None], x, 0.0).sum(dim=0) / there.sum(dim=0).clamp(min=1)


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
