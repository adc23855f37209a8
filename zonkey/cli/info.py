"""What a model folder holds, read from its ``config.json`` and the headers of its safetensors files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from zonkey.config import ModelConfig, parse


def describe(folder: Path) -> dict[str, Any]:
    """Objective, parameters and bytes on disk; of every level its widths, window, vectors and parameters.

    Raises:
        ValueError: the folder holds no model, or files that are cut short.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"no model in {folder}; make it with `make repro`, or name another folder")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}); make the model again") from None
    if not isinstance(raw, dict):
        raise ValueError(f"{path} holds no model configuration; make the model again")
    config = parse(ModelConfig, raw.get("config", raw), str(path))
    sizes: dict[str, int] = {}
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ValueError(f"{folder} holds a config.json but no weights (*.safetensors); make the model again")
    for file in weights:
        sizes |= _sizes(file)
    levels = [
        {
            "level": number,
            "width": level.width,
            "window": level.window,
            "vectors": level.vectors,
            "latent": level.width * level.vectors,
            "decompressor": level.decompressor,
            "parameters": sum(size for name, size in sizes.items() if f".levels.{number}." in f".{name}"),
        }
        for number, level in enumerate(config.levels)
    ]
    return {
        "model": str(folder),
        "objective": config.objective,
        "levels": levels,
        "parameters": sum(sizes.values()),
        "bytes_on_disk": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
    }


def table(found: dict[str, Any]) -> str:
    """The same for reading."""
    lines = [
        f"{found['model']}: {found['parameters']:,} parameters, objective {found['objective']},"
        f" {found['bytes_on_disk'] / 1e6:.1f} MB on disk",
        "level  width  window  vectors  latent  parameters",
    ]
    for one in found["levels"]:
        lines.append(
            f"{one['level']:5}  {one['width']:5}  {one['window']:6}  {one['vectors']:7}  {one['latent']:6}"
            f"  {one['parameters']:10,}"
        )
    return "\n".join(lines) + "\n"


def _sizes(file: Path) -> dict[str, int]:
    """Elements of every tensor, from the header alone."""
    try:
        with safe_open(file, framework="numpy") as opened:
            return {name: math.prod(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        raise ValueError(f"{file} is cut short or no safetensors file; make the model again") from None
