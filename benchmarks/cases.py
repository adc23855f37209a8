"""What is measured: every case is a title, a sentence, and named variants; a variant returns one row of numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks import ROOT
from benchmarks.measure import Row, measured, peak_mib, timed
from benchmarks.operators import OPERATORS, operator
from benchmarks.work import SEED, built
from zonkey.config import Config, RuntimeConfig
from zonkey.data import Batches, Corpus, encyclopedia
from zonkey.generate import generate, infill
from zonkey.model import Zonkey
from zonkey.runtime import Runtime, generator, start
from zonkey.train.learner import Part
from zonkey.train.speed import reference_shape, training_step
from zonkey.transformer import Encoder, recompute

Variant = Callable[[Config], Row]
LETTERS = 1024  # bytes of a document, where nothing else is said


@dataclass(frozen=True)
class Case:
    """One table: what stands in it, and how each of its rows is measured."""

    title: str
    says: str
    variants: Mapping[str, Variant]
    compared: str | None = None  # a column that every row is also given as a share of the first row's


def runtime_of(config: Config, **changes: object) -> Runtime:
    """The configured runtime, with changes."""
    return start(RuntimeConfig.model_validate(config.runtime.model_dump() | changes))


def step(
    config: Config,
    part: Part = None,
    decompressor: str = "parallel",
    documents: int = 8,
    size: int = LETTERS,
    **changes: object,
) -> Row:
    """A training step of the reference shape."""
    runtime = runtime_of(config, **changes)
    network = built(reference_shape(config.model, decompressor), runtime)
    if changes.get("recompute"):
        recompute(network)
    work = training_step(config, network, runtime, documents, size, part)
    few = {"warm_up": 1, "repeats": 2} if documents * size > 2**14 else {}  # long steps need fewer
    return measured(work, runtime, documents * size, **few)


def shared_step(config: Config, documents: int = 8, size: int = LETTERS) -> Row:
    """The same in two processes of one thread each, as the default profile trains."""
    with tempfile.TemporaryDirectory() as logs:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--log-dir", logs]
        command += ["--nproc-per-node=2", "-m", "benchmarks.pair", str(documents), str(size)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def encoder(config: Config, compiled: bool, width: int) -> Row:
    """Three blocks over windows of 21 positions, forward and backward; compiling is in the first call's seconds."""
    if compiled and shutil.which("g++") is None and not torch.cuda.is_available():
        return {"skipped": "no C++ compiler"}
    runtime = runtime_of(config)
    network = Encoder(width, 4, 3).to(runtime.device)
    run = torch.compile(network) if compiled else network
    rows = 1842 * 64 // width // 2
    x = torch.randn(rows, 21, width, generator=generator(0)).to(runtime.device)
    bias = torch.zeros(rows, 1, 21, 21, device=runtime.device)

    def work() -> None:
        with runtime.autocast():
            run(x, bias).float().square().mean().backward()

    began = time.perf_counter()
    work()
    first = time.perf_counter() - began
    return {"ms": 1000 * timed(work, runtime), "s first call": first}


def encode(config: Config, documents: int, size: int) -> Row:
    """Text to the vectors of the top level."""
    runtime = runtime_of(config)
    model = built(config.model, runtime).eval()
    given = encyclopedia.pieces(documents, size, SEED)

    def work() -> None:
        with runtime.autocast():
            model.encode(given)

    return measured(work, runtime, documents * size)


def write(config: Config, steps: int | None) -> Row:
    """A hundred texts from noise at the top level."""
    runtime, model, trained = _model(config)
    made: list[str] = []

    def work() -> None:
        with runtime.autocast():
            made[:] = generate(model, 100, steps=steps)

    few = {"warm_up": 0, "repeats": 1} if (steps or 1) > 10 else {"warm_up": 1, "repeats": 3}
    before = peak_mib()
    seconds = timed(work, runtime, **few)
    size = sum(len(text.encode()) for text in made)
    return {
        "s": seconds,
        "bytes/s": size / seconds,
        "bytes a text": size / len(made),
        "s for 20,000 bytes": 20_000 * seconds / size,
        "MiB above start": peak_mib() - before,
        "model": trained,
    }


def fill(config: Config, gap: int) -> Row:
    """One gap between 64 bytes of text on each side."""
    runtime, model, trained = _model(config)
    (around,) = encyclopedia.pieces(1, 128, SEED)

    def work() -> None:
        with runtime.autocast():
            infill(model, f"{around[:64]}{{gap:{gap}}}{around[64:]}")

    before = peak_mib()
    seconds = timed(work, runtime, warm_up=1, repeats=3)
    return {"s": seconds, "bytes/s": gap / seconds, "MiB above start": peak_mib() - before, "model": trained}


def batches(config: Config, size: int) -> Row:
    """Batches of eight documents off the disk; padding is what a batch holds beyond its text."""
    folder = ROOT / "data/corpus"
    if not (folder / "corpus.json").is_file():
        return {"skipped": "no data/corpus: run `dvc repro prepare`"}
    source = Batches(Corpus(folder, "train"), 8, size, 0)
    rows = [source.at(number) for number in range(200)]
    real, room = (sum(counts) for counts in zip(*((int(b.lengths.sum()), b.tokens.numel()) for b in rows), strict=True))
    seconds = timed(lambda: [source.at(number) for number in range(200)], runtime_of(config), warm_up=1, repeats=3)
    return {"bytes/s": real / seconds, "us a batch": 1e6 * seconds / 200, "padding": 1 - real / room}


def repro(config: Config) -> Row:
    """``dvc repro`` where nothing has changed."""
    command = [sys.executable, "-m", "dvc", "repro", "--dry"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or "Running" in done.stdout:
        return {"skipped": "the pipeline is not up to date: run `make repro`"}
    return {"s": _typed(config, [sys.executable, "-m", "dvc", "repro"])}


def stage(config: Config) -> Row:
    """The smallest stage: figures from what was evaluated, as DVC runs it, from the start of papermill."""
    if not all((ROOT / name).is_dir() for name in ("evaluation", "history")):
        return {"skipped": "nothing is evaluated: run `make repro`"}
    with tempfile.TemporaryDirectory() as folder:
        run = ["papermill", "--engine", "zonkey", "notebooks/60_figures.ipynb", f"{folder}/out.ipynb"]
        return {"s": _typed(config, [*run, "-p", "figures", folder])}


def _typed(config: Config, command: list[str]) -> float:
    """Median seconds of a command in the repository, from start to end."""
    run = partial(subprocess.run, command, cwd=ROOT, capture_output=True, check=True)
    return timed(run, runtime_of(config), warm_up=0, repeats=3)


def _model(config: Config) -> tuple[Runtime, Zonkey, str]:
    """The trained model, or one of its shape."""
    runtime, folder = runtime_of(config), ROOT / "models/final"
    if (folder / "model.safetensors").is_file():
        return runtime, Zonkey.from_pretrained(folder).eval().to(runtime.device), "models/final"
    return runtime, built(config.model, runtime).eval(), "untrained"


CASES: dict[str, Case] = {
    "step": Case(
        "Training step",
        "Forward, backward and optimiser of the reference shape on 8 documents of 1 kB.",
        {
            "joint": step,
            "joint, sequential decompressor": partial(step, decompressor="sequential"),
            "joint, float32": partial(step, precision="float32"),
            "joint, bfloat16": partial(step, precision="bfloat16"),
            "joint, one thread": partial(step, threads=1),
            "joint, two threads": partial(step, threads=2),
            "joint, two processes of one thread": shared_step,
            "joint, activations recomputed": partial(step, recompute=True),
            "level 0": partial(step, part=0),
            "level 1": partial(step, part=1),
            "flows": partial(step, part="flow"),
        },
    ),
    "size": Case(
        "Size of a batch",
        "The joint step on as many bytes as there are: time for a byte should not hang on how they are shared out.",
        {
            "64 documents of 1 kB": partial(step, documents=64),
            "16 documents of 1 kB": partial(step, documents=16),
            "4 documents of 1 kB": partial(step, documents=4),
            "1 document of 1 kB": partial(step, documents=1),
            "16 documents of 4 kB": partial(step, documents=16, size=4096),
            "4 documents of 16 kB": partial(step, documents=4, size=16384),
            "1 document of 64 kB": partial(step, documents=1, size=65536),
        },
        compared="ns a byte",
    ),
    "operators": Case(
        "Ways to the same numbers",
        "Forward and backward at the reference step's shapes, processor time of one thread.",
        {name: partial(operator, make=make) for name, make in OPERATORS.items()},
    ),
    "compile": Case(
        "torch.compile",
        "Three transformer blocks over windows, as they are and compiled; each level has some ten such graphs.",
        {
            "width 64": partial(encoder, compiled=False, width=64),
            "width 64, compiled": partial(encoder, compiled=True, width=64),
            "width 256": partial(encoder, compiled=False, width=256),
            "width 256, compiled": partial(encoder, compiled=True, width=256),
        },
    ),
    "encode": Case(
        "Encoding",
        "Text to the vectors of the top level, shape of params.yaml.",
        {
            "64 documents of 1 kB": partial(encode, documents=64, size=1024),
            "1 document of 1 kB": partial(encode, documents=1, size=1024),
            "1 document of 64 kB": partial(encode, documents=1, size=65536),
        },
    ),
    "generate": Case(
        "Generation",
        "100 texts from noise at the top level, shape of params.yaml.",
        {"as configured": partial(write, steps=None)}
        | {f"{steps} steps": partial(write, steps=steps) for steps in (4, 10, 50, 100)},
    ),
    "infill": Case(
        "Infilling",
        "One gap between 64 bytes on each side.",
        {f"{gap} bytes": partial(fill, gap=gap) for gap in (4, 32)},
    ),
    "data": Case(
        "Batches",
        "Read, cut and padded, without a model.",
        {f"crops of {size} bytes": partial(batches, size=size) for size in (512, 1024, 4096)},
    ),
    "stage": Case("The smallest stage", "`60_figures`, start to end.", {"60_figures": stage}),
    "repro": Case("`dvc repro` with nothing to do", "Start to end, as typed.", {"dvc repro": repro}),
}
