"""Seconds, memory and arithmetic of a piece of work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from zonkey.cli.memory import held
from zonkey.runtime import Runtime
from zonkey.train.speed import best_product

Row = dict[str, Any]


def timed(work: Callable[[], Any], runtime: Runtime, warm_up: int = 2, repeats: int = 5) -> float:
    """Median seconds of one call, after some that are not timed."""
    seconds = []
    for number in range(warm_up + repeats):
        began = time.perf_counter()
        work()
        if runtime.device.type == "cuda":
            torch.cuda.synchronize()
        if number >= warm_up:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def products(work: Callable[[], Any]) -> int:
    """Floating-point operations of all matrix products in one call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def measured(work: Callable[[], Any], runtime: Runtime, size: int, **options: int) -> Row:
    """A row of the tables for work on ``size`` bytes of text."""
    before = peak_mib()
    seconds = timed(work, runtime, **options)
    after = peak_mib()
    best = best_product(runtime)
    return {
        "precision": str(runtime.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "bytes/s": size / seconds,
        "ms": 1000 * seconds,
        "ns a byte": 1e9 * seconds / size,
        "MiB": after,
        "MiB above start": after - before,
        "utilisation": products(work) / seconds / best,
        "GFLOP/s best product": best / 1e9,
    }


def peak_mib() -> float:
    """The most memory this process has held so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return held() / 2**20
