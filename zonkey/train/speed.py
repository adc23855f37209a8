"""How fast a joint training step is on this machine, in bytes of text per second.

Shapes: B documents, N bytes.
"""

import statistics
import time
from dataclasses import dataclass

import torch

from zonkey.config import Config, LevelConfig, ModelConfig
from zonkey.data import encyclopedia
from zonkey.fit.optimizer import Optimizer
from zonkey.model import Zonkey
from zonkey.runtime import Runtime, generator, start
from zonkey.text import to_tokens

WARM_UP = 2  # steps that are not timed


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
    """Time whole steps (forward, backward, optimiser) of joint training on built-in text.

    Args:
        config: losses, optimiser and runtime.
        model: the shape that is timed.
        documents: B.
        size: N, bytes of each document.
        steps: timed steps.
    """
    runtime = start(config.runtime)
    pieces = encyclopedia.pieces(documents, size, config.seed)
    tokens, lengths = (v.to(runtime.device) for v in to_tokens(pieces, size))
    network = Zonkey(model).to(runtime.device)
    optimizer = Optimizer(network, config.train, config.train.finetune)
    seconds = []
    for step in range(WARM_UP + steps):
        began = time.perf_counter()
        with runtime.autocast():
            out = network(tokens, lengths, config.losses, runtime.generator(config.seed, step))
            out.loss.backward()
        optimizer.step(step)
        _finish(runtime)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds[WARM_UP:])
    return Speed(
        int(lengths.sum()) / median,
        median,
        steps,
        sum(p.numel() for p in network.parameters()),
        best_product(runtime),
        str(runtime.dtype).removeprefix("torch."),
        torch.get_num_threads(),
    )


def best_product(runtime: Runtime, size: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations a second of a square matrix product in the runtime's precision, best of several."""
    random = generator(0)
    a, b = (torch.randn(size, size, generator=random).to(runtime.device, runtime.dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 1):
        began = time.perf_counter()
        a @ b
        _finish(runtime)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _finish(runtime: Runtime) -> None:
    if runtime.device.type == "cuda":
        torch.cuda.synchronize()
