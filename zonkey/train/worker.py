"""One of several training processes: ``python -m torch.distributed.run ... -m zonkey.train.worker``."""

import json
import logging
import os
import sys
from pathlib import Path

from zonkey.config import Config, parse
from zonkey.train.stages import finetune, train_flow, train_level


def main(arguments: list[str]) -> None:
    """Arguments: parameters as JSON, level or flow or None, corpus, source model or None, output, runs."""
    params, only, corpus, source, out, runs = arguments
    config = parameters(Path(params))
    below = None if source == "None" else Path(source)
    if only in ("None", "flow"):
        assert below is not None
        (train_flow if only == "flow" else finetune)(config, Path(corpus), below, Path(out), Path(runs))
    else:
        train_level(config, int(only), Path(corpus), below, Path(out), Path(runs))


def parameters(path: Path) -> Config:
    """What the launching process wrote; the first rank logs, because all would log the same."""
    first = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(level=logging.INFO if first else logging.WARNING, format="%(message)s")
    return parse(Config, json.loads(path.read_text(encoding="utf-8")), str(path))


if __name__ == "__main__":
    main(sys.argv[1:])
