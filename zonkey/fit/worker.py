"""What one of several training processes begins with, and what it leaves where it fails."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zonkey.config import Config, parse
from zonkey.files import write_beside
from zonkey.fit.loop import TrainingError

FAILURE = ".failure"
GRADIENT = ": gradient is"  # in what is said of one that is not finite
GRACE = 0.5  # seconds, in which other processes may say more before they are stopped


@contextmanager
def parameters(path: Path) -> Iterator[Config]:
    """What the launching process wrote; the first rank logs, because all would log the same.

    Where training ends with a sentence it is left for the launching process (:func:`failure_of`), and the exit status
    is 1.
    """
    rank = os.environ.get("RANK", "0")
    first = rank == "0"
    logging.basicConfig(level=logging.INFO if first else logging.WARNING, format="%(message)s")
    try:
        yield parse(Config, json.loads(path.read_text(encoding="utf-8")), str(path))
    except (TrainingError, ValueError) as error:
        write_beside(path.with_suffix(f".{rank}{FAILURE}"), str(error))
        time.sleep(GRACE)
        sys.exit(1)


def failure_of(path: Path) -> str | None:
    """What the processes that were given these parameters said of their failure: one that names a term of its loss,
    where there is one, because its gradient spoils those of all."""
    said = [one.read_text(encoding="utf-8") for one in sorted(path.parent.glob(f"{path.stem}.*{FAILURE}"))]
    return min(said, key=lambda words: GRADIENT in words, default=None)
