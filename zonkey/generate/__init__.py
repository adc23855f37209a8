"""From noise to text, and text into gaps."""

from zonkey.generate.infilling import infill
from zonkey.generate.sampling import generate, sample_latents

__all__ = ["generate", "infill", "sample_latents"]
