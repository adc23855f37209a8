"""``python -m benchmarks.against CHECKOUT``: a training step of this checkout against that of another, in turns.

Each has a process of its own; they wait for one another, so that whatever else the machine does hits both alike. What
is compared is processor time on one thread, which another program's share of the cores changes little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from benchmarks import ROOT

CHILD = """
import json, sys, time
root, checkout, documents, size, part = sys.argv[1:]
sys.path.insert(0, root)
import benchmarks  # these, with the other checkout's package
sys.path[0] = checkout
import importlib.util
at = importlib.util.spec_from_file_location("zonkey.train.speed", root + "/zonkey/train/speed.py")
speed = importlib.util.module_from_spec(at)
sys.modules[at.name] = speed
at.loader.exec_module(speed)
from benchmarks.work import built
from zonkey.config import RuntimeConfig, load_config
from zonkey.runtime import start
config = load_config(checkout + "/params.yaml")
runtime = start(RuntimeConfig.model_validate(config.runtime.model_dump() | {"threads": 1}))
network = built(speed.reference_shape(config.model), runtime)
step = speed.training_step(config, network, runtime, int(documents), int(size), json.loads(part))
for line in sys.stdin:
    began = time.process_time()
    step()
    print(time.process_time() - began, flush=True)
"""


def main(arguments: list[str]) -> int:
    """Print the medians and their ratio as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("checkout", type=Path, help="folder of another checkout")
    parser.add_argument("--documents", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a document (%(default)s)")
    parser.add_argument("--part", default="null", help="what is trained, as JSON: null for all, 0, 1 or '\"flow\"'")
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after two that are not (%(default)s)")
    options = parser.parse_args(arguments)
    if not (options.checkout / "zonkey").is_dir():
        parser.error(f"{options.checkout} is no checkout of this project")
    size = (str(options.documents), str(options.size), options.part)
    spent = take_turns([options.checkout.resolve(), ROOT], size, options.steps)
    before, after = (statistics.median(one) for one in spent)
    found = {"other": before, "this": after, "ratio": after / before, "seconds": spent}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def take_turns(checkouts: list[Path], size: tuple[str, str, str], steps: int) -> list[list[float]]:
    """Processor seconds of every checkout's steps.

    Raises:
        RuntimeError: one of them ended early; what it said went to standard error.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(ROOT), str(checkout), *size],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for checkout in checkouts
    ]
    spent: list[list[float]] = [[] for _ in children]
    try:
        for _ in range(2 + steps):
            for child, mine in zip(children, spent, strict=True):
                mine.append(_turn(child))
    finally:
        for child in children:
            child.kill()
            child.communicate()
    return [mine[2:] for mine in spent]


def _turn(child: subprocess.Popen[str]) -> float:
    asked, answers = cast(IO[str], child.stdin), cast(IO[str], child.stdout)
    try:
        asked.write("\n")
        asked.flush()
        return float(answers.readline())
    except (BrokenPipeError, ValueError):
        raise RuntimeError("a checkout ended before it was done") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
