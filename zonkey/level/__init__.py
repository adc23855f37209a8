"""One level of the hierarchy, wired: splitter, compressor, denoiser, stitcher, and how they are trained."""

from zonkey.level.module import Decoded, Level
from zonkey.level.objectives import flow_loss
from zonkey.level.step import Below, LevelStep, level_step
from zonkey.level.truth import Truth

__all__ = ["Below", "Decoded", "Level", "LevelStep", "Truth", "flow_loss", "level_step"]
