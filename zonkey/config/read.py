"""Parameter files: read, checked, and said in one sentence what is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from zonkey.config.base import ConfigError
from zonkey.config.say import cut, sentence, shown
from zonkey.config.whole import Config

T = TypeVar("T", bound=BaseModel)

# What ruamel raises where a file is no YAML, a scalar is not what its tag or its looks say, or nesting is too deep.
UNREADABLE = (YAMLError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError)


def load_config(path: str | Path = "params.yaml") -> Config:
    """Read and validate a parameter file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a bad value; one sentence says which.
    """
    return parse(Config, read_mapping(Path(path), YAML(typ="safe")), str(path))


def read_mapping(path: Path, yaml: YAML) -> dict[str, Any]:
    """A parameter file as ``yaml`` reads it; raises :class:`ConfigError` where it is missing or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no parameter file at {path}; run in the repository's root or name one") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name a parameter file") from None
    except UnicodeDecodeError as error:
        value = f"byte {error.start} is {error.object[error.start]:#04x}"
        raise ConfigError(f"{path} is not UTF-8 text: {value}; save it as UTF-8") from None
    raw = read_yaml(text, yaml, str(path))
    if not isinstance(raw, dict):
        kind = "nothing" if raw is None else "a list" if isinstance(raw, list) else shown(raw)
        raise ConfigError(
            f"{path} holds {kind}, not a mapping of parameters; copy profiles/default.yaml over it and run"
            " `zonkey profile default`"
        )
    return raw


def read_yaml(text: str, yaml: YAML, origin: str) -> Any:
    """What a YAML text stands for; raises :class:`ConfigError` naming ``origin`` and the line where it is none."""
    try:
        return yaml.load(text)
    except UNREADABLE as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else ""
        words = " ".join(str(getattr(error, "problem", None) or error).split()) or type(error).__name__
        if words.startswith("but "):  # the other half of a sentence
            words = f"{' '.join(str(getattr(error, 'context', '')).split())}, {words}"
        if isinstance(error, RecursionError):
            words = "it is nested too deeply"
        at = f"{line}: " if line else ""
        raise ConfigError(f"{origin} is not valid YAML: {at}{cut(words)}; correct {line or 'it'}") from None


def parse(kind: type[T], raw: dict[str, Any], origin: str) -> T:
    """Validate ``raw`` as ``kind``; raises :class:`ConfigError` naming ``origin`` and the first bad value."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {sentence(kind, error)}") from None


def fingerprint(*parts: Any) -> str:
    """16 hex digits that identify configurations and inputs (strings, numbers, models, lists, dicts of them)."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
