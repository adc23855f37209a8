"""Full training state and model folders on disk: written beside, then renamed; nothing unpickled but plain tensors."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from zonkey.config import Config

STATE = "state.pt"
HISTORY = "history.jsonl"


class CheckpointError(ValueError):
    """A training state is damaged, or there is no room to write one."""


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the training state, and its history as JSON lines for people.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; an earlier state stays.
    """
    rows = "".join(json.dumps(row) + "\n" for row in state["history"])
    write_beside(folder / STATE, lambda path: torch.save(state, path))
    write_beside(folder / HISTORY, lambda path: path.write_text(rows, encoding="utf-8"))


def load_state(folder: Path) -> dict[str, Any] | None:
    """The training state of a run that was stopped; None where there is none.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is cut short or damaged ({error}); delete it to train afresh") from None


def save_model(model: Any, config: Config, folder: Path) -> None:
    """``save_pretrained`` beside ``folder``, with the resolved parameters as ``params.json``, then rename."""
    temporary = folder.with_name(folder.name + ".partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        model.save_pretrained(temporary)
        (temporary / "params.json").write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(f"cannot write {folder}: {error.strerror}; free space or choose another") from None


def write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it over ``path``.

    Raises:
        CheckpointError: writing failed; ``path`` is as it was.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write {path}: {error}; free space or choose another folder") from None
