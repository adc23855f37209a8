"""What comes next, told from the positions before: where that is hard, a segment begins.

Departs from the paper, whose splitter learns from reconstruction alone. Any cheap mark at the right rate serves
reconstruction; that words begin where the next letter is hard to foresee is an old finding (Harris 1955).

Shapes: B documents, N positions, D width, V candidates.
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
    """The vector of a position from the ``predictor_sees`` before it: two linear layers with a ReLU between.

    That it sees so little is meant: with a wide view the full stop after a known sentence is no surprise.
    """

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.sees = config.predictor_sees
        self.inside = nn.Linear(config.width * self.sees, 4 * config.width)
        self.out = nn.Linear(4 * config.width, config.width)

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        real: Bool[Tensor, "B N"],
        candidates: Float[Tensor, "V D"],
        ids: Int[Tensor, "B N"] | None = None,
    ) -> Foresight:
        """The true one among ``candidates`` is at ``ids``; without ids it is told from candidates unlike it.

        The surprise of a position is the larger of what was expected from the left (entropy) and what came (negative
        log-likelihood). The first marks the letter after a space, whichever it is, the second a full stop. No
        gradient reaches ``x`` or ``candidates``.
        """
        x = torch.where(real[..., None], x.detach(), 0.0)
        before = [pad(x, (0, 0, k, 0))[:, : x.shape[1]] for k in range(1, self.sees + 1)]
        foretold = self.out(relu(self.inside(torch.cat(before, dim=-1)))).float()
        with torch.autocast(x.device.type, enabled=False):
            x, candidates = (normalize(v.detach().float(), dim=-1) for v in (x, candidates))
            logits = SCALE * foretold @ candidates.T
            if ids is None:
                unlike = logits.masked_fill(x @ candidates.T > SAME, NEVER)
                logits = torch.cat([SCALE * (foretold * x).sum(dim=-1, keepdim=True), unlike], dim=-1)
                ids = torch.zeros_like(real, dtype=torch.long)
            log_p = logits.log_softmax(dim=-1)
        came = -log_p.gather(-1, ids[..., None])[..., 0]
        with torch.no_grad():
            expected = -(log_p.exp() * log_p).sum(dim=-1)
            surprise = _standardised(torch.maximum(expected, came), real)
        return Foresight(mean_of_real(came, real), surprise)


def _standardised(x: Float[Tensor, "B N"], real: Bool[Tensor, "B N"]) -> Float[Tensor, "B N"]:
    mean = mean_of_real(x, real)
    deviation = mean_of_real((x - mean).square(), real).sqrt()
    return torch.where(real, ((x - mean) / (deviation + 1e-3)).clamp(-LIMIT, LIMIT), 0.0)
