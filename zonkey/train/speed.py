"""How fast a joint training step is on this machine, in bytes of text per second.

Shapes: B documents, N bytes.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from zonkey.config import Config, LevelConfig, ModelConfig
from zonkey.data import ByteBatch, encyclopedia
from zonkey.fit.distributed import Ranks
from zonkey.fit.optimizer import Optimizer
from zonkey.model import Zonkey
from zonkey.runtime import Runtime, generator, start
from zonkey.text import to_tokens
from zonkey.train.learner import Part, ZonkeyLearner

WARM_UP = 2  # steps that are not timed
SHAPES = ((2048, 2048, 2048), (8192, 256, 1024), (8192, 1024, 256))  # of matrix products: rows, inner, columns
LARGE = ((8192, 8192, 8192), (16384, 4096, 4096))  # that keep a GPU busy


@dataclass(frozen=True)
class Speed:
    """What was measured; rates are medians over steps."""

    bytes_per_second: float
    step_seconds: float
    steps: int
    parameters: int
    product_flops: float  # floating-point operations a second of the best matrix product, same run and precision
    precision: str
    threads: int


def reference_shape(model: ModelConfig, decompressor: str = "parallel") -> ModelConfig:
    """Two levels of widths 64 and 256: 3 compressor, 3 denoiser, 1 decompressor and 1 splitter layer, windows of
    16, 4 vectors, 5.6 units a segment below and 8 above, of which a fifth below and half above also pass with noise."""
    levels = []
    for width, rate, rows, given in ((64, 0.18, 0.2, model.levels[0]), (256, 0.125, 0.5, model.levels[-1])):
        shape = {
            "width": width,
            "heads": 4,
            "window": 16,
            "vectors": 4,
            "compressor_layers": 3,
            "denoiser_layers": 3,
            "decompressor_layers": 1,
            "splitter_layers": 1,
            "decompressor": decompressor,
            "target_rate": rate,
            "capacity": 1.1,
            "generative_rows": rows,
        }
        levels.append(LevelConfig.model_validate(given.model_dump() | shape))
    return model.model_copy(update={"levels": tuple(levels)})


def training_speed(config: Config, model: ModelConfig, documents: int = 8, size: int = 1024, steps: int = 8) -> Speed:
    """Time whole steps (:func:`training_step`) of joint training on built-in text.

    Args:
        config: losses, optimiser and runtime.
        model: the shape that is timed.
        documents: B.
        size: N, bytes of each document.
        steps: timed steps.
    """
    runtime = start(config.runtime)
    network = Zonkey(model).to(runtime.device)
    work = training_step(config, network, runtime, documents, size)
    seconds = []
    for _ in range(WARM_UP + steps):
        began = time.perf_counter()
        work()
        _finish(runtime)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds[WARM_UP:])
    return Speed(
        documents * size / median,
        median,
        steps,
        sum(p.numel() for p in network.parameters()),
        best_product(runtime),
        str(runtime.dtype).removeprefix("torch."),
        torch.get_num_threads(),
    )


def training_step(
    config: Config,
    network: Zonkey,
    runtime: Runtime,
    documents: int,
    size: int,
    part: Part = None,
    ranks: Ranks | None = None,
) -> Callable[[], object]:
    """Forward, backward and optimiser on one batch of built-in text, with the weights of a stage's last step, again
    and again with other begins: what each call does.

    Args:
        config: losses and optimiser.
        network: is trained; its splitters begin as often as they will once they are trained, so that there is as much
            to compute.
        runtime: where, and how precisely.
        documents: B, of this process.
        size: N, bytes of each document.
        part: what is trained.
        ranks: this process of several.
    """
    tokens, lengths = to_tokens(encyclopedia.pieces(documents, size, config.seed), size)
    batch = ByteBatch(tokens.to(runtime.device), lengths.to(runtime.device))
    begin_at_rate(network)
    ranks = ranks or Ranks()
    stage = config.train.finetune
    learner = ZonkeyLearner(config.model_copy(update={"model": network.config}), stage, part)
    learner.freeze(network)
    optimizer = Optimizer(network, config.train, stage, ranks.world)
    wrapped = ranks.wrap(network)
    seeds = iter(range(10**9))

    def step() -> None:
        with runtime.autocast():
            random = runtime.generator(next(seeds), ranks.rank)
            learner.forward(wrapped, batch, random, stage.steps - 1).loss.backward()
        optimizer.step(0)

    return step


@torch.no_grad()
def begin_at_rate(network: Zonkey) -> None:
    """Let untrained splitters begin at their target rate."""
    for level in network.levels:
        rate = level.config.target_rate
        level.splitter.bias.fill_(math.log(rate / (1 - rate)))


def best_product(runtime: Runtime, repeats: int = 5) -> float:
    """Floating-point operations a second of a matrix product in the runtime's precision, best of several and of some
    shapes."""
    random, best = generator(0), 0.0
    for rows, inner, columns in LARGE if runtime.device.type == "cuda" else SHAPES:
        a = torch.randn(rows, inner, generator=random).to(runtime.device, runtime.dtype)
        b = torch.randn(inner, columns, generator=random).to(runtime.device, runtime.dtype)
        for _ in range(repeats + 1):
            began = time.perf_counter()
            a @ b
            _finish(runtime)
            best = max(best, 2 * rows * inner * columns / (time.perf_counter() - began))
    return best


def _finish(runtime: Runtime) -> None:
    if runtime.device.type == "cuda":
        torch.cuda.synchronize()
