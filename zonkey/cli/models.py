"""A model's folder, checked before it is run: nothing is allocated for one that is damaged or of another version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from zonkey.config import ConfigError, ModelConfig, parse

if TYPE_CHECKING:
    from zonkey.model import Zonkey

AGAIN = "train or copy the model again"
OTHER_VERSION = ("unknown parameter", "is missing")  # in what is said of a configuration
FLOATS = {"F64", "F32", "F16", "BF16"}
Shape = tuple[int, ...]


def read_config(folder: Path) -> ModelConfig:
    """What ``config.json`` says of the model.

    Raises:
        ValueError: there is no model, or its configuration is damaged or of another version.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise ValueError(f"no model in {folder}; name a folder on this machine, or train models/final by `make repro`")
    if not path.is_file():
        raise ValueError(f"no model in {folder}: it has no config.json; {AGAIN}, or name a folder that has")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path} is not valid JSON ({reason}); {AGAIN}") from None
    if not isinstance(raw, dict):
        raise ValueError(f"{path} holds a {type(raw).__name__}, no model configuration; {AGAIN}")
    try:
        return parse(ModelConfig, raw.get("config", raw), str(path))
    except ConfigError as error:
        said = str(error).removeprefix(f"{path}: ")
        if any(words in said for words in OTHER_VERSION):
            said = said.partition("; ")[0]
            raise ValueError(f"{path} was written by another version ({said}); take that, or train again") from None
        raise ValueError(f"{path}: {said}; or {AGAIN}") from None


def read_shapes(folder: Path) -> dict[str, Shape]:
    """The shape of every tensor, from the headers alone.

    Raises:
        ValueError: there are no weights, or they are cut short, damaged, or no floating-point numbers.
    """
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(f"{folder} holds a config.json but no weights (*.safetensors); {AGAIN}")
    found: dict[str, Shape] = {}
    for path in files:
        if not path.is_file():
            raise ValueError(f"{path} is not a file; {AGAIN}")
        try:
            with safe_open(path, framework="numpy") as file:
                parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is cut short or no safetensors file ({error}); {AGAIN}") from None
        for name, part in parts.items():
            if part.get_dtype() not in FLOATS:
                raise ValueError(f"{path}: {name} is of type {part.get_dtype()}, not floating-point; {AGAIN}")
            found[name] = tuple(part.get_shape())
    return found


def load(folder: Path) -> Zonkey:
    """The model of a folder, ready to run.

    Raises:
        ValueError: as :func:`read_config` and :func:`read_shapes`, or the weights do not fit the configuration, or
            one of them is not finite.
    """
    read_config(folder)
    read_shapes(folder)
    from zonkey.model import Zonkey

    model = Zonkey.from_pretrained(str(folder)).eval()
    bad = [name for name, value in model.state_dict().items() if not bool(value.isfinite().all())]
    if bad:
        raise ValueError(f"{folder} holds what is no number (NaN or infinity) in {', '.join(bad)[:200]}; {AGAIN}")
    return model
