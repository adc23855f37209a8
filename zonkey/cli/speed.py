"""The command ``zonkey speed``: bytes of text a joint training step takes per second."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from zonkey.cli.parser import check_file, whole


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the parser's sub-commands."""
    one = commands.add_parser(
        "speed",
        parents=[common],
        help="training speed in bytes per second",
        description="Joint training of two levels of widths 64 and 256 (3 compressor, 3 denoiser, 1 decompressor and "
        "1 splitter layer, windows of 16, 4 vectors), with both decompressors, beside this machine's best matrix "
        "product in the same precision.",
    )
    one.add_argument("--params", type=Path, default=Path("params.yaml"), help="losses and runtime (%(default)s)")
    one.add_argument("--steps", type=whole(1), default=8, help="timed steps (%(default)s)")
    one.add_argument("--out", type=Path, help="also write the numbers here, as JSON")
    one.set_defaults(run=_speed)


def _speed(options: argparse.Namespace) -> None:
    from zonkey.config import load_config
    from zonkey.files import write_beside
    from zonkey.train.speed import reference_shape, training_speed

    if options.out:
        check_file("--out", options.out)
    config = load_config(options.params)
    found = {}
    for decompressor in ("parallel", "sequential"):
        model = reference_shape(config.model, decompressor)
        speed = training_speed(config, model, steps=options.steps)
        found[decompressor] = dataclasses.asdict(speed)
        sys.stdout.write(
            f"{decompressor}: {speed.bytes_per_second:,.0f} bytes/s, {speed.step_seconds * 1000:.0f} ms a step,"
            f" {speed.parameters:,} parameters, {speed.precision}, {speed.threads} threads;"
            f" best matrix product {speed.product_flops / 1e9:,.0f} GFLOP/s\n"
        )
    if options.out:
        write_beside(options.out, json.dumps(found, indent=2) + "\n")
