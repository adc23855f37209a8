"""Zonkey: a hierarchical diffusion language model with a differentiable tokenizer (arXiv 2601.21768)."""

from zonkey.config import Config, ConfigError, load_config
from zonkey.generate import generate, infill
from zonkey.model import Latents, Segmentation, Zonkey

__all__ = ["Config", "ConfigError", "Latents", "Segmentation", "Zonkey", "generate", "infill", "load_config"]
__version__ = "0.1.0"
