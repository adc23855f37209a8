"""One of several training processes: ``python -m torch.distributed.run ... -m zonkey.train.worker``."""

import sys
from pathlib import Path

from zonkey.fit import parameters
from zonkey.train.stages import finetune, train_flow, train_level


def main(arguments: list[str]) -> None:
    """Arguments: parameters as JSON, level or flow or None, corpus, source model or None, output, runs."""
    params, only, corpus, source, out, runs = arguments
    below = None if source == "None" else Path(source)
    with parameters(Path(params)) as config:
        if only in ("None", "flow"):
            assert below is not None
            (train_flow if only == "flow" else finetune)(config, Path(corpus), below, Path(out), Path(runs))
        else:
            train_level(config, int(only), Path(corpus), below, Path(out), Path(runs))


if __name__ == "__main__":
    main(sys.argv[1:])
