"""What a model folder holds, read from its ``config.json`` and the headers of its safetensors files."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from zonkey.cli.models import AGAIN, read_config, read_shapes

LEVEL = re.compile(r"(?:.*\.)?levels\.(\d+)\.")  # in the name of a tensor


def describe(folder: Path) -> dict[str, Any]:
    """Objective, parameters and bytes on disk; of every level its widths, window, vectors and parameters. What the
    weights are is not read.

    Raises:
        ValueError: the folder holds no model, or one that is cut short, of another version or with other levels.
    """
    config = read_config(folder)
    sizes = {name: math.prod(shape) for name, shape in read_shapes(folder).items()}
    there = {int(found[1]) for name in sizes if (found := LEVEL.match(name))}
    if there != set(range(len(config.levels))):
        held = ", ".join(f"levels.{number}" for number in sorted(there)) or "no level"
        raise ValueError(f"{folder} holds weights of {held}, and config.json describes {len(config.levels)}; {AGAIN}")
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
