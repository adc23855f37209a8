"""One of several training processes: ``python -m torch.distributed.run ... -m zonkey.baselines.worker``."""

import sys
from pathlib import Path

from zonkey.baselines.fit import train_language
from zonkey.train.worker import parameters


def main(arguments: list[str]) -> None:
    """Arguments: parameters as JSON, split, corpus, output, runs, tokenizer or None, reverse, source or None."""
    params, split, corpus, out, runs, tokenizer, reverse, source = arguments
    train_language(
        parameters(Path(params)),
        Path(corpus),
        split,
        Path(out),
        Path(runs),
        tokenizer=None if tokenizer == "None" else Path(tokenizer),
        reverse=reverse == "True",
        source=None if source == "None" else Path(source),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
