"""What the pipelines measured: every metric of a corpus under one dotted name, ``file.key.key``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Metrics = Mapping[str, float]


def read(*folders: Path) -> dict[str, float]:
    """The numbers of all ``*.json`` in ``folders``, by file and keys; of two of one name the later folder's.

    A folder that is missing holds nothing. Text, null and switches are left out; lists count from 0.

    Raises:
        ValueError: a file is no JSON object, or holds a number that is none.
    """
    return {name: value for folder in folders for path in sorted(folder.glob("*.json")) for name, value in _file(path)}


def rows(metrics: Metrics, pattern: str) -> dict[str, dict[str, float]]:
    """What stands below a dotted name, by what its stars stand for, in the files' order.

    ``rows({"a.x.f1": 1.0, "a.y.f1": 0.5}, "a.*")`` gives ``{"x": {"f1": 1.0}, "y": {"f1": 0.5}}``; several stars
    are joined by a comma. A number that has no deeper name stands under ``""``.
    """
    star = r"((?:[^.]|(?<=\d)\.(?=\d))+)"  # 0.2 is one name
    seeker = re.compile(star.join(map(re.escape, pattern.split("*"))) + r"(?:\.(.+))?")
    found: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        if match := seeker.fullmatch(name):
            *labels, rest = match.groups()
            found.setdefault(", ".join(labels), {})[rest or ""] = value
    return found


def series(metrics: Metrics, patterns: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """One metric of many rows: by a name of its own, then by what the stars stand for. What is missing is left out.

    ``series({"fill.4.left": 0.5}, {"baseline": "fill.*.left"})`` gives ``{"baseline": {"4": 0.5}}``.
    """
    found = {
        name: {label: row[""] for label, row in rows(metrics, pattern).items() if "" in row}
        for name, pattern in patterns.items()
    }
    return {name: points for name, points in found.items() if points}


def _file(path: Path) -> Iterator[tuple[str, float]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}); publish it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, not an object of metrics; publish it again")
    for name, value in _leaves(content, path.stem):
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError(f"{path}: {name.partition('.')[2]} is {value}, no number; measure it again")
            yield name, value


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield name, value
    else:
        for key, below in inner:
            yield from _leaves(below, f"{name}.{key}")
