"""``python -m benchmarks.scaling``: what a run of a profile takes on GPUs, from counted arithmetic and a utilisation.

Arithmetic is counted (matrix products of a joint training step on one and on two short documents, and the optimiser's,
shared by the documents of a step); the GPU's rate, the share of it that is reached and the price are assumptions, given
as arguments and printed with the result.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import ROOT
from benchmarks.measure import Row, products
from benchmarks.table import markdown
from benchmarks.work import built
from zonkey.cli.profile import apply
from zonkey.config import Config, RuntimeConfig, load_config
from zonkey.runtime import start
from zonkey.train.speed import training_step

SIZE = 1024  # bytes of the document that is counted


def main(arguments: list[str]) -> int:
    """Print a table: one row for each number of bytes and each utilisation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--profile", default="gpu", help="(%(default)s)")
    parser.add_argument("--bytes", type=float, nargs="+", default=[2e10, 1e12], help="of text read (%(default)s)")
    parser.add_argument("--utilisation", type=float, nargs="+", default=[0.1, 0.2, 0.35], help="(%(default)s)")
    parser.add_argument("--peak", type=float, default=989e12, help="operations a second of one GPU (%(default)s)")
    parser.add_argument("--gpus", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--price", type=float, default=3.0, help="of a GPU for an hour (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        params = Path(folder) / "params.yaml"
        params.write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        apply(options.profile, params, ROOT / "profiles", {})
        config = load_config(params)
    count, each = arithmetic(config)
    sys.stdout.write(
        f"{options.profile}: {count:,} parameters, {each / 1e6:,.0f} million operations a byte of text\n\n"
    )
    rows = {
        f"{size / 1e9:,.0f} GB at {part:.0%}": projected(each, size, part, options.peak, options.gpus, options.price)
        for size in options.bytes
        for part in options.utilisation
    }
    sys.stdout.write(markdown(rows))
    return 0


def arithmetic(config: Config) -> tuple[int, float]:
    """Parameters, and floating-point operations for a byte in joint training."""
    runtime = start(RuntimeConfig.model_validate(config.runtime.model_dump() | {"device": "cpu"}))
    model = built(config.model, runtime)
    one, two = (products(training_step(config, model, runtime, documents, SIZE)) for documents in (1, 2))
    stage = config.train.finetune
    optimiser = 2 * one - two  # what does not grow with the text
    return sum(p.numel() for p in model.parameters()), (two - one) / SIZE + optimiser / (stage.batch * stage.bytes)


def projected(each: float, size: float, utilisation: float, peak: float, gpus: int, price: float) -> Row:
    """Of a run over ``size`` bytes at ``each`` operations a byte."""
    rate = gpus * peak * utilisation / each
    hours = size / rate / 3600
    return {"million bytes/s": rate / 1e6, "hours": hours, "price": hours * gpus * price}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
