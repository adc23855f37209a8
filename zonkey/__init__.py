"""Zonkey: a hierarchical diffusion language model with a differentiable tokenizer (arXiv 2601.21768)."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zonkey.config import Config, ConfigError, load_config
    from zonkey.generate import generate, infill
    from zonkey.model import Zonkey
    from zonkey.text import Latents, Segmentation

__all__ = ["Config", "ConfigError", "Latents", "Segmentation", "Zonkey", "generate", "infill", "load_config"]
__version__ = "0.1.0"

_HOMES = {
    "Config": "config",
    "ConfigError": "config",
    "Latents": "model",
    "Segmentation": "model",
    "Zonkey": "model",
    "generate": "generate",
    "infill": "generate",
    "load_config": "config",
}


class _Package(ModuleType):
    """Imports what it offers when first asked for: torch takes seconds, and most commands do without it."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{self.__name__}.{_HOMES[name]}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):  # generate: the function, not its module
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
