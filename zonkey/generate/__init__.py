"""From noise to text, and text into gaps."""

from zonkey.generate.infilling import fill_gaps, infill
from zonkey.generate.sampling import generate, sample

__all__ = ["fill_gaps", "generate", "infill", "sample"]
