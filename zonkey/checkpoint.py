"""Full training state and model folders on disk: written beside, then renamed; nothing unpickled but plain tensors."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from zonkey.config import Config
from zonkey.files import folder_beside, write_beside

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
    with _space(folder / STATE):
        write_beside(folder / STATE, lambda path: torch.save(state, path))
        write_beside(folder / HISTORY, rows)


def load_state(folder: Path) -> dict[str, Any] | None:
    """The training state of a run that was stopped; None where there is none.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch writes checksums and does not look at them
        if broken is not None:
            raise zipfile.BadZipFile(f"checksum of {broken}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # bytes that are no state raise whatever the unpickler runs into
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(f"{path} is cut short or damaged ({reason}); delete it to train afresh") from None


def save_model(model: Any, config: Config, folder: Path) -> None:
    """``save_pretrained`` beside ``folder``, with the resolved parameters as ``params.json``, then rename."""
    with _space(folder), folder_beside(folder) as beside:
        model.save_pretrained(beside)
        (beside / "params.json").write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")


@contextmanager
def _space(path: Path) -> Iterator[None]:
    """What went wrong with writing, as one sentence."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write {path}: {error}; free space or choose another folder") from None
    except RuntimeError as error:  # torch's of a full disk, which does not say so
        raise CheckpointError(f"cannot write {path}: no space for it; free space or choose another folder") from error
