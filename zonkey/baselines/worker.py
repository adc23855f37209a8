"""One of several training processes: ``python -m torch.distributed.run ... -m zonkey.baselines.worker``."""

import sys
from pathlib import Path

from zonkey.baselines.fit import train_language
from zonkey.fit import parameters


def main(arguments: list[str]) -> None:
    """Arguments: parameters as JSON, split, corpus, output, runs, tokenizer or None, reverse,
    bytes per chunk or None, source or None."""
    params, split, corpus, out, runs, tokenizer, reverse, chunk, source = arguments
    with parameters(Path(params)) as config:
        train_language(
            config,
            Path(corpus),
            split,
            Path(out),
            Path(runs),
            tokenizer=None if tokenizer == "None" else Path(tokenizer),
            reverse=reverse == "True",
            bytes_per_chunk=None if chunk == "None" else float(chunk),
            source=None if source == "None" else Path(source),
        )


if __name__ == "__main__":
    main(sys.argv[1:])
