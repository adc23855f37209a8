"""A training process of several whose second rank computes a loss that is no number in its fifth step."""

import os
import sys
from typing import Any

from zonkey.fit import Outcome
from zonkey.train import worker
from zonkey.train.learner import ZonkeyLearner

whole = ZonkeyLearner.forward


def forward(self: ZonkeyLearner, network: Any, batch: Any, random: Any, step: int | None) -> Outcome:
    out = whole(self, network, batch, random, step)
    if step != 4 or os.environ["RANK"] != "1":
        return out
    bad = out.loss * float("nan")
    return Outcome(bad, out.named | {"level0/clean": bad.detach()})


ZonkeyLearner.forward = forward  # type: ignore[method-assign]
worker.main(sys.argv[1:])
