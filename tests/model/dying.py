"""A training process of several whose second rank is killed at its fifth step."""

import os
import signal
import sys
from typing import Any

from zonkey.data import Batches
from zonkey.train import worker

whole = Batches.at


def at(self: Batches, step: int) -> Any:
    if step == 4 and self.corpus.split == "train" and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, step)


Batches.at = at  # type: ignore[method-assign]
worker.main(sys.argv[1:])
