"""Where the time of a training step goes."""

from __future__ import annotations

from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

from benchmarks.cases import LETTERS, runtime_of
from benchmarks.measure import Row
from benchmarks.work import built
from zonkey.config import Config
from zonkey.train.speed import reference_shape, training_step

KINDS = {  # of torch's operators, by how their names begin after "aten::"; the first that fits
    "random numbers": ("normal_", "uniform_", "rand", "bernoulli", "exponential_", "multinomial"),
    "products of the model": ("mm", "addmm", "linear", "matmul"),
    "products of windows, and Muon's": ("bmm", "baddbmm"),
    "attention": ("_softmax", "_scaled_dot", "_flash", "_efficient"),
    "casts": ("_to_copy",),
    "copies": ("copy_", "clone", "contiguous", "cat", "stack", "empty", "fill_", "zero_", "zeros", "ones"),
    "norms": ("native_layer_norm", "linalg_vector_norm"),
    "convolutions": ("convolution", "mkldnn_convolution"),
    "reading by index": ("index", "gather", "embedding", "take", "scatter"),
    "sums": ("sum", "mean", "cumsum", "amax", "argmax", "topk", "sort"),
}


def profile(config: Config, steps: int = 3) -> dict[str, Row]:
    """Share of the joint step's time by kind of operator, on one thread; the rest are small element-wise operators."""
    runtime = runtime_of(config, threads=1)
    work = training_step(config, built(reference_shape(config.model), runtime), runtime, 8, LETTERS)
    work()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if runtime.device.type == "cuda" else [])]
    with profiler(activities=activities) as seen:
        for _ in range(steps):
            work()
    spent: dict[str, float] = {}
    calls: dict[str, int] = {}
    for event in seen.key_averages():
        kind = _kind(event.key)
        time = event.self_device_time_total if runtime.device.type == "cuda" else event.self_cpu_time_total
        spent[kind] = spent.get(kind, 0.0) + time
        calls[kind] = calls.get(kind, 0) + event.count
    whole = sum(spent.values())
    ordered = sorted(spent, key=lambda kind: -spent[kind])
    return {
        kind: {"share": spent[kind] / whole, "ms": spent[kind] / 1000 / steps, "calls": calls[kind] / steps}
        for kind in ordered
    }


def _kind(name: str) -> str:
    if name.startswith(("Optimizer.", "_fused", "aten::_fused")):
        return "optimiser, beside Muon's products"
    if name.startswith("autograd::") or name.endswith(("Backward0", "Backward1", "AccumulateGrad")):
        return "autograd, beside its operators"
    operator = name.removeprefix("aten::")
    return next((kind for kind, begins in KINDS.items() if operator.startswith(begins)), "element-wise and the rest")
