"""One level of the hierarchy, wired: splitter, compressor, denoiser, stitcher, and how they are trained."""

from zonkey.level.module import Decoded, Level
from zonkey.level.training import Below, LevelStep, Truth, level_step

__all__ = ["Below", "Decoded", "Level", "LevelStep", "Truth", "level_step"]
