"""Small models, segments and texts that the tests of the model share."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML
from torch import Tensor

from zonkey.config import Config, LevelConfig, LossConfig, ModelConfig, parse
from zonkey.existence import Segments, choose_begins, cut, real_positions
from zonkey.model import Zonkey

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "The river runs to the sea, and the sea gives the rain back.",
    "Ein Fluß fließt zum Meer; 바다로 간다. 🌊",
]


def raw(levels: int = 2, objective: str = "flow", **level: Any) -> dict[str, Any]:
    """The parameters of a tiny model of ``levels`` levels, as ``params.yaml`` would hold them."""
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name in ("default", "tiny"):
        merge(values, YAML(typ="safe").load((ROOT / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")))
    first = values["model"]["levels"][0]
    values["model"] |= {"objective": objective, "max_text_bytes": 4096}
    values["data"]["max_bytes"] = 4096
    values["model"]["levels"] = [first | {"width": 16 * first["vectors"] ** number} | level for number in range(levels)]
    values["train"]["levels"] = [copy.deepcopy(values["train"]["levels"][0]) for _ in range(levels)]
    values["runtime"] = {"device": "cpu", "precision": "float32", "threads": 1, "recompute": False}
    if "pipeline" in values:
        values["pipeline"] = pipeline(values)
    return values


def pipeline(values: dict[str, Any]) -> dict[str, Any]:
    """The derived section, brought in line with the rest."""
    from zonkey.config import PipelineConfig

    data = values["data"]
    return PipelineConfig.of(data["source"], data["path"], len(values["model"]["levels"])).model_dump()


def merge(values: dict[str, Any], more: dict[str, Any]) -> None:
    """Set ``more`` in ``values``, mapping by mapping."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = value


def config(levels: int = 2, objective: str = "flow", **level: Any) -> Config:
    """A tiny configuration; ``level`` changes all levels alike."""
    return parse(Config, raw(levels, objective, **level), "test")


def losses(**weights: Any) -> LossConfig:
    """All loss terms on, and few negatives; ``weights`` says what differs."""
    return parse(LossConfig, raw()["losses"] | weights, "test")


def only_losses(*names: str) -> LossConfig:
    """No loss term but these, of weight 1."""
    terms = {name for name, weight in raw()["losses"].items() if isinstance(weight, float)} - {"masked_rows"}
    return losses(**dict.fromkeys(terms, 0.0) | dict.fromkeys(names, 1.0))


def model(levels: int = 2, objective: str = "flow", seed: int = 0, **level: Any) -> Zonkey:
    """An untrained tiny model, the same for the same arguments."""
    shape: ModelConfig = config(levels, objective, **level).model
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Zonkey(shape)


def acquainted(built: Zonkey, texts: list[str]) -> Zonkey:
    """The model with flows above level 0 that know the first vectors of these texts, as many as there is room for."""
    for index, level in enumerate(built.levels):
        if index and level.flow is not None:
            x, lengths, _ = built.inputs(texts, index)
            known = x[real_positions(lengths, x.shape[1])][: len(level.flow.vocabulary) - 2]
            level.flow.vocabulary[: len(known)] = known
            level.flow.vocabulary[-2:] = torch.stack([level.flow.unknown, level.flow.end])
    return built


def level_config(**changes: Any) -> LevelConfig:
    """The shape of one tiny level."""
    return parse(LevelConfig, raw(1)["model"]["levels"][0] | changes, "test")


def random(seed: int = 0) -> torch.Generator:
    """A generator of the processor's."""
    return torch.Generator().manual_seed(seed)


def segments_of(logits: Tensor, lengths: Tensor, window: int, seed: int | None = 0) -> Segments:
    """The segments of sampled begins (deterministic ones without a seed)."""
    real = real_positions(lengths, logits.shape[1])
    begins = choose_begins(logits, real, window, None if seed is None else random(seed))
    return cut(logits, begins, lengths, window, None)


def bytes_batch(texts: list[str]) -> tuple[Tensor, Tensor]:
    """UTF-8 bytes, 256 after each row's end, and lengths."""
    rows = [list(text.encode()) for text in texts]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [256] * (longest - len(row)) for row in rows])
    return tokens, torch.tensor([len(row) for row in rows])
