"""Parameter files: read, checked, and said in one sentence what is wrong."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from zonkey.config.base import ConfigError
from zonkey.config.whole import Config

T = TypeVar("T", bound=BaseModel)

# What ruamel raises where a file is no YAML, a scalar is not what its tag or its looks say, or nesting is too deep.
UNREADABLE = (YAMLError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError)
LONGEST = 200  # characters of a value, or of what a library says of it, in a sentence


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and validate a parameter file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a bad value; one sentence says which.
    """
    return parse(Config, read_mapping(Path(path), YAML(typ="safe")), str(path))


def read_mapping(path: Path, yaml: YAML) -> dict[str, Any]:
    """A parameter file as ``yaml`` reads it; raises :class:`ConfigError` where it is missing or no mapping."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no parameter file at {path}; run in the repository's root or name one") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name a parameter file") from None
    except UNREADABLE as error:
        raise ConfigError(f"{path} is not valid YAML: {_said(error)}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds {type(raw).__name__}, not a mapping of parameters")
    return raw


def parse(kind: type[T], raw: dict[str, Any], origin: str) -> T:
    """Validate ``raw`` as ``kind``; raises :class:`ConfigError` naming ``origin`` and the first bad value."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_sentence(kind, raw, error)}") from None


def fingerprint(*parts: Any) -> str:
    """16 hex digits that identify configurations and inputs (strings, numbers, models, lists, dicts of them)."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _sentence(kind: type[BaseModel], raw: dict[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = _cut(".".join(str(part) for part in first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = sorted(_keys(kind))
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.0)
        return f"unknown parameter {where!r}; the nearest known name is {near[0]!r}{more}"
    if first["type"] == "missing":
        return f"parameter {where!r} is missing; add it (see profiles/ for values){more}"
    message = _cut(first["msg"].removeprefix("Value error, "), 3 * LONGEST)
    if first["type"] == "value_error":
        return f"{where or 'parameters'}: {message}{more}"
    return f"parameter {where!r} is {_shown(first['input'])}: {message[0].lower()}{message[1:]}{more}"


def _said(error: Exception) -> str:
    """What is wrong with a file, and where, on one line."""
    words = _cut(" ".join(str(getattr(error, "problem", None) or error).split()) or type(error).__name__)
    mark = getattr(error, "problem_mark", None)
    return words if mark is None else f"{words} (line {mark.line + 1}, column {mark.column + 1})"


def _shown(value: Any) -> str:
    """A value as it is written, or only its type where it has no such form: an integer of thousands of digits."""
    try:
        return _cut(repr(value))
    except (ValueError, RecursionError):
        return f"a value of type {type(value).__name__}"


def _cut(words: str, longest: int = LONGEST) -> str:
    return words if len(words) <= longest else f"{words[:longest]}..."


def _keys(kind: type[BaseModel]) -> set[str]:
    schema = kind.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return {key for model in models for key in model.get("properties", {})}
