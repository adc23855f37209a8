"""``torch.distributed.run -m benchmarks.pair``: the reference step shared by processes of one thread each."""

from __future__ import annotations

import json
import sys

from benchmarks import ROOT
from benchmarks.measure import measured
from benchmarks.work import built
from zonkey.config import Config, RuntimeConfig, load_config
from zonkey.fit.distributed import Ranks
from zonkey.runtime import start
from zonkey.train.speed import reference_shape, training_step


def main(config: Config, documents: int, size: int) -> None:
    """The first process prints its row as JSON; bytes are those of all, utilisation is of its own."""
    ranks = Ranks.join("cpu")
    runtime = start(RuntimeConfig.model_validate(config.runtime.model_dump() | {"threads": 1, "device": "cpu"}))
    network = built(reference_shape(config.model), runtime)
    work = training_step(config, network, runtime, documents // ranks.world, size, ranks=ranks)
    row = measured(work, runtime, documents * size)
    ranks.wait()
    if ranks.rank == 0:
        sys.stdout.write(json.dumps(row))
    ranks.leave()


if __name__ == "__main__":
    main(load_config(ROOT / "params.yaml"), *map(int, sys.argv[1:]))
