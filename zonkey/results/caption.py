"""What stands above a table: the text of training, how much of it was read, what was measured on, and the seed.

Bytes read are those that training counted (``bytes_read`` in the metrics): each piece of text as often as a step
shows it, without padding. Nothing is worked out here from parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zonkey.results.measured import Metrics, rows
from zonkey.results.published import PIPELINE, SUITES, Measured, Params
from zonkey.results.schema import Table
from zonkey.results.verdicts import number

OLDER = "older run, whose parameters were not kept"
APART = "of another model than the pipeline's, whose parameters differ"


def caption(table: Table, one: Measured) -> str:
    """The parts that are known, of a table with at least one row."""
    told = _runs(table.runs, one.metrics) if table.runs else _reading(table, one)
    return "; ".join(part for part in (*told, _held_out(table, one.metrics), _seed(table, one)) if part)


def _runs(pattern: str, metrics: Metrics) -> Iterator[str]:
    """Of runs that train a whole model each: from the one that read least to the one that read most."""
    if text := _range(_values(metrics, f"{pattern}.train_bytes")):
        yield f"{text} bytes of training text"
    found = [row for row in rows(metrics, pattern).values() if "bytes_read.levels" in row]
    flows = [row.get("bytes_read.flows", 0) for row in found]
    if total := _range([row["bytes_read.levels"] + more for row, more in zip(found, flows, strict=True)]):
        yield f"each run read {total} bytes" + (f", {_range(flows)} of them for its flows" if any(flows) else "")


def _reading(table: Table, one: Measured) -> Iterator[str]:
    """Of the published models: what the pipeline trains is told where it is the model that was measured."""
    metrics = one.metrics
    levels = "levels" in table.budget
    known = one.together or not table.of_suites
    text = "prepare.bytes.train" if levels else "baseline_language.train_bytes"
    if (known or not levels) and text in metrics:
        yield f"{number(metrics[text])} bytes of training text"
    if levels and known:
        yield _model("flows" in table.budget, metrics, one.params.get(PIPELINE))
    elif levels and not one.older:
        yield APART
    if "baselines" in table.budget:
        yield _baselines(metrics, one.params.get(SUITES))
    if "judge" in table.budget and "baseline_judge.bytes_read" in metrics:
        read, own = (number(metrics[f"baseline_judge.{name}"]) for name in ("bytes_read", "train_bytes"))
        yield f"the judge read {read} bytes of {own} that no other model reads"


def _model(generates: bool, metrics: Metrics, params: Params | None) -> str:
    levels = [*_values(metrics, "train_level*.bytes_read"), *_values(metrics, "finetune.bytes_read")]
    if not levels:
        return ""
    told = f"the levels read {number(sum(levels))} bytes{_steps(params, 'train.levels', 'train.finetune')}"
    if generates and (more := metrics.get("flow.bytes_read")):
        told += f", their flows {number(more)} more{_steps(params, 'train.flow')}"
    return told


def _baselines(metrics: Metrics, params: Params | None) -> str:
    if (read := metrics.get("baseline_language.bytes_read")) is None:
        return ""
    return f"each baseline read {number(read)} bytes{_steps(params, 'baselines.stage')}"


def _steps(params: Params | None, *names: str) -> str:
    """Of stages of training by their dotted names; nothing where the parameters are not known, or older than these."""
    stages: list[Any] = []
    for name in names:
        found: Any = params
        for key in name.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        stages += found if isinstance(found, list) else [found]
    steps = [stage.get("steps") if isinstance(stage, Mapping) else None for stage in stages]
    return "" if None in steps else f" in {' + '.join(map(str, steps))} steps"


def _held_out(table: Table, metrics: Metrics) -> str:
    """The size of the held-out text, where the metrics say it."""
    file = table.rows[0].split(".")[0]
    for place in (file, f"{file}.data"):
        documents, size = (_range(_values(metrics, f"{place}.{name}")) for name in ("documents", "bytes"))
        if documents and size:
            return f"held-out text of {documents} documents, {size} bytes"
    return ""


def _seed(table: Table, one: Measured) -> str:
    params = one.of(table)
    if params is None:
        return OLDER
    if table.seeds:
        return "seeds " + ", ".join(sorted({name.split(".")[0][4:] for name in one.metrics if name.startswith("seed")}))
    return f"seed {params['seed']}" if "seed" in params else ""


def _values(metrics: Metrics, pattern: str) -> list[float]:
    return [row[""] for row in rows(metrics, pattern).values() if "" in row]


def _range(values: Sequence[float]) -> str:
    ends = [number(value) for value in (min(values), max(values))] if values else []
    return " to ".join(dict.fromkeys(ends))
