"""Profiles: ``params.yaml`` is ``profiles/default.yaml`` with another profile on top, comments kept."""

from __future__ import annotations

import copy
import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from zonkey.config import Config, ConfigError, PipelineConfig, parse, read_mapping, read_yaml
from zonkey.config.say import nearest
from zonkey.files import write_beside
from zonkey.variants import place

WIDTH = 80  # where DVC breaks lines
# What the stages of one level write, by its number; DVC has it cached, so that removing it loses nothing.
OF_LEVEL = (
    "build/executed/20_train_level{}.ipynb",
    "history/level{}.json",
    "metrics/train_level{}.json",
    "models/level{}",
)


def names(profiles: Path) -> list[str]:
    """The profiles that there are."""
    return sorted(path.stem for path in profiles.glob("*.yaml"))


def apply(name: str, params: Path, profiles: Path, extra: Mapping[str, Any]) -> list[str]:
    """Set ``params`` to profile ``name``, then the dotted keys of ``extra``; returns what changed, by lines.

    Raises:
        ConfigError: no such profile, or the result is not valid; nothing has been written then.
    """
    known = names(profiles)
    if name not in known:
        fix = nearest(name, known, "nearest") or f"; {profiles}/ holds none, name another --profiles"
        raise ConfigError(f"there is no profile {name!r}{fix}")
    document = _load(params)
    for path in (profiles / "default.yaml", profiles / f"{name}.yaml"):
        merge(document, _load(path))
    document["profile"] = name
    for key, value in extra.items():
        holder, last = place(document, key)
        if isinstance(holder, Mapping):
            merge(cast(CommentedMap, holder), {str(last): value})
        else:
            holder[last] = value
    return _write(document, params, f"{params} with profile {name!r}")


def refresh(params: Path) -> list[str]:
    """Bring the ``pipeline`` section of ``params`` in line with the rest; returns what changed."""
    return _write(_load(params), params, str(params))


def merge(target: CommentedMap, values: Mapping[str, Any]) -> None:
    """Set ``values`` in ``target``, mapping by mapping; lists are replaced whole; comments stay."""
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), Mapping):
            merge(target[key], value)
        elif key not in target or target[key] != value:
            tail = _take_tail(target, key) if key in target else None
            target[key] = copy.deepcopy(value)
            _take_tail(target, key)  # what follows it in the profile's own file
            if tail is not None:
                _put_tail(target, key, tail)


def _write(document: CommentedMap, params: Path, origin: str) -> list[str]:
    _set_pipeline(document)
    _settle(document)
    before = dict(_leaves(_load(params)))
    stream = io.StringIO()
    _yaml().dump(document, stream)
    config = parse(Config, read_yaml(stream.getvalue(), YAML(typ="safe"), origin), origin)
    after = dict(_leaves(document))
    if stream.getvalue() != params.read_text(encoding="utf-8"):
        write_beside(params, stream.getvalue())
    _remove_levels_from(len(config.model.levels), params.parent)
    keys = [*before, *(key for key in after if key not in before)]
    return [f"{k}: {before.get(k)} -> {after.get(k)}" for k in keys if before.get(k) != after.get(k)]


def _set_pipeline(document: CommentedMap) -> None:
    data, model = document.get("data"), document.get("model")
    levels = model.get("levels") if isinstance(model, Mapping) else None
    path = data.get("path") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(levels, list) or not isinstance(path, str | None):
        return  # the validation that follows says what is wrong
    section = PipelineConfig.of(str(data.get("source")), path, len(levels)).model_dump()
    train = CommentedMap(section["train"])
    train.fa.set_flow_style()
    merge(document, {"pipeline": CommentedMap(section | {"train": train})})
    if list(document["pipeline"]["train"]) != list(train):  # levels that are gone
        document["pipeline"]["train"] = train


def _remove_levels_from(count: int, root: Path) -> None:
    """What an earlier, deeper model left behind would be taken for results of this one."""
    for pattern in OF_LEVEL:
        for level in range(count, count + 8):
            path = root / pattern.format(level)
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{prefix}.{index}")
    else:
        yield prefix, list(value) if isinstance(value, list) else value


def _load(path: Path) -> CommentedMap:
    return cast(CommentedMap, read_mapping(path, _yaml()))


def _yaml() -> YAML:
    """Reads and writes as DVC does."""
    yaml = YAML()
    yaml.default_flow_style = False
    return yaml


def _settle(target: Any) -> None:
    """Lay out as DVC does, so that ``dvc exp run --set-param`` changes one line and nothing else."""
    for key, value in target.items():
        if isinstance(value, CommentedMap):
            if len(f"    {key}: {dict(value)}") > WIDTH:
                value.fa.set_block_style()
            _settle(value)
        elif isinstance(value, list):
            tail = _take_tail(target, key)
            target[key] = _block(value)
            if tail is not None:
                _put_tail(target, key, tail)


def _block(value: Any) -> Any:
    if isinstance(value, Mapping):
        return CommentedMap((key, _block(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return CommentedSeq(_block(inner) for inner in value)
    return next((kind(value) for kind in (str, float) if isinstance(value, kind)), value)


def _take_tail(target: CommentedMap, key: str) -> Any:
    """Take away what follows the list ``target[key]``, blank lines and comments: its last leaf holds them."""
    holder, last = _last_leaf(target, key)
    return holder.ca.items.pop(last, None) if isinstance(target[key], list) else None


def _put_tail(target: CommentedMap, key: str, tail: Any) -> None:
    holder, last = _last_leaf(target, key)
    token = next((part for part in tail if part is not None), None)
    if token is not None:
        holder.ca.items[last] = [token, None] if isinstance(holder, CommentedSeq) else [None, None, token, None]


def _last_leaf(holder: Any, key: Any) -> tuple[Any, Any]:
    """Follow last elements of block collections: where ruamel attaches what comes after ``holder[key]``."""
    value = holder[key]
    while isinstance(value, CommentedMap | CommentedSeq) and len(value) and not value.fa.flow_style():
        holder, key = value, list(value)[-1] if isinstance(value, CommentedMap) else len(value) - 1
        value = holder[key]
    return holder, key
