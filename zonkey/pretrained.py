"""Folders of saved models: read whole, or refused in one sentence."""

import json
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import PyTorchModelHubMixin, snapshot_download
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model
from torch import nn

FLOATS = ("F64", "F32", "F16", "BF16")  # others would be converted: bit patterns of weights to huge numbers
FILES = ["config.json", "model.safetensors"]
OF_THE_HUB = ("revision", "token", "cache_dir", "force_download", "local_files_only")  # options of a download
AGAIN = "train or copy the model again"
Shapes = dict[str, list[int]]  # of tensors, by name


class Pretrained(nn.Module, PyTorchModelHubMixin):
    """``save_pretrained`` and ``from_pretrained``: ``model.safetensors`` and ``config.json`` in a folder."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Self:
        """A saved model, from a folder or from the hub (``owner/name``).

        Raises:
            ValueError: the folder is not there, or its files are missing, damaged or of another model.
        """
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            if folder.is_absolute() or (folder.parent != Path(".") and folder.parent.is_dir()):
                raise ValueError(f"no model folder {folder}; train one with `make repro`, or name another")
            where = {name: options.pop(name) for name in OF_THE_HUB if name in options}
            # Nothing else is fetched: huggingface_hub would unpickle a pytorch_model.bin where safetensors are missing.
            folder = Path(snapshot_download(str(pretrained_model_name_or_path), allow_patterns=FILES, **where))
        check_config(folder / "config.json")
        return super().from_pretrained(folder, **options)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **kwargs: Any) -> Self:
        weights = Path(model_id) / "model.safetensors"
        found = check_weights(weights)
        with torch.device("meta"):  # shapes alone: a damaged config.json may ask for more memory than there is
            wanted = {name: list(value.shape) for name, value in cls(kwargs["config"]).state_dict().items()}
        check_fit(weights, found, wanted)
        model = cls(kwargs["config"])
        try:
            load_model(model, weights, strict=True, device=map_location)
        except (RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{weights} does not fit its config.json ({reason}); {AGAIN}") from None
        return model.eval()


def check_config(path: Path) -> None:
    """Raises ValueError where a file is missing, damaged, or no model configuration."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is missing or damaged ({error}); {AGAIN}") from None
    if not isinstance(raw, dict) or "levels" not in raw:
        raise ValueError(f"{path} holds no model configuration; {AGAIN}")


def check_weights(weights: Path) -> Shapes:
    """What a file of weights holds; raises ValueError where it is missing, cut short, or of other numbers."""
    if not weights.is_file():
        raise ValueError(f"no model.safetensors in {weights.parent}; give the folder of a trained model")
    try:
        with safe_open(weights, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            kinds = {name: part.get_dtype() for name, part in parts.items()}
            shapes = {name: list(part.get_shape()) for name, part in parts.items()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{weights} is cut short or damaged ({error}); {AGAIN}") from None
    for name, kind in kinds.items():
        if kind not in FLOATS:
            raise ValueError(f"{weights}: {name} is of type {kind}, not floating-point; {AGAIN}")
    return shapes


def check_fit(weights: Path, found: Shapes, wanted: Shapes) -> None:
    """Raises ValueError naming the first tensor of another shape; torch would take the first of a list for a number."""
    for name in sorted(found.keys() | wanted.keys()):
        have, want = (f"of shape {one[name]}" if name in one else "not there" for one in (found, wanted))
        if have != want:
            raise ValueError(f"{weights} does not fit its config.json: {name} is {have}, there it is {want}; {AGAIN}")
