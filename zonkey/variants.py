"""Configurations that differ from a given one: dotted names to values, and the variants of the ablations."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from zonkey.config import Config, ConfigError, PipelineConfig, parse
from zonkey.config.say import nearest

BUDGET = "ablations."  # changes of these are made first: they decide how many levels there are


def varied(config: Config, changes: Mapping[str, Any]) -> Config:
    """``config`` with other values, such as ``{"model.levels.0.target_rate": 0.2}``; what follows from them follows.

    Raises:
        ConfigError: a name is unknown (the nearest is said), or the result is not valid.
    """
    raw = config.model_dump(mode="json")
    for name, value in changes.items():
        holder, key = place(raw, name)
        holder[key] = value
    return _parsed(raw, ", ".join(f"{name}={value}" for name, value in changes.items()))


def variant(config: Config, name: str) -> Config:
    """The configuration of a variant of the ablations: its changes, its number of levels, the shared budget.

    ``ablations`` of the result says what is left to the caller: whether to fine-tune (``finetune`` steps above 0).

    Raises:
        ConfigError: there is no such variant, or one of its changes cannot be made.
    """
    known = config.ablations.variants
    if name not in known:
        fix = nearest(name, known, "nearest") or "; ablations.variants is empty"
        raise ConfigError(f"there is no variant {name!r}{fix}")
    changes = known[name].changes
    first = varied(config, {key: value for key, value in changes.items() if key.startswith(BUDGET)})
    budget = first.ablations
    shaped = with_levels(first, budget.levels)
    spent: dict[str, Any] = {f"train.levels.{level}.steps": budget.steps[level] for level in range(budget.levels)}
    spent |= {"train.finetune.steps": max(budget.finetune, 1), "train.flow.steps": budget.flow}
    return varied(shaped, spent | {key: value for key, value in changes.items() if not key.startswith(BUDGET)})


def lengthened(config: Config, times: float) -> Config:
    """Every stage of training with this many times its steps, one at least."""
    train = config.train
    stages = {f"levels.{number}": stage for number, stage in enumerate(train.levels)}
    stages |= {"finetune": train.finetune, "flow": train.flow}
    return varied(config, {f"train.{name}.steps": max(round(times * one.steps), 1) for name, one in stages.items()})


def with_levels(config: Config, count: int) -> Config:
    """The lowest ``count`` levels; more repeat the top one, as wide as the level below makes it."""
    raw = config.model_dump(mode="json")
    levels, stages = raw["model"]["levels"], raw["train"]["levels"]
    while len(levels) < count:
        top = levels[-1]
        levels.append(copy.deepcopy(top) | {"width": top["width"] * top["vectors"]})
        stages.append(copy.deepcopy(stages[-1]))
    del levels[count:], stages[count:]
    return _parsed(raw, f"{count} levels")


def place(document: Any, name: str) -> tuple[Any, str | int]:
    """The mapping or list that holds the parameter of this dotted name, and its key or index there.

    Raises:
        ConfigError: there is no such parameter.
    """
    holder, keys = document, name.split(".")
    for depth, part in enumerate(keys):
        key = _key(holder, part, name, ".".join(keys[:depth]))
        if depth + 1 == len(keys):
            return holder, key
        holder = holder[key]
    raise AssertionError("split gives at least one part")


def _key(holder: Any, part: str, name: str, parent: str) -> str | int:
    if isinstance(holder, Mapping):
        if part in holder:
            return part
        raise ConfigError(f"unknown parameter {name!r}{nearest(part, map(str, holder))}")
    if isinstance(holder, list):
        if part.isdigit() and int(part) < len(holder):
            return int(part)
        raise ConfigError(f"unknown parameter {name!r}; {parent} has entries 0 to {len(holder) - 1}")
    raise ConfigError(f"unknown parameter {name!r}; {parent} is {holder!r} and holds no others")


def _parsed(raw: dict[str, Any], origin: str) -> Config:
    data = raw["data"]
    raw["pipeline"] = PipelineConfig.of(data["source"], data["path"], len(raw["model"]["levels"])).model_dump()
    return parse(Config, raw, origin)
