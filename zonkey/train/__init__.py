"""Training: one loop for a single level on frozen lower ones, and for all levels end to end."""

from zonkey.train.stages import TrainSummary, finetune, train_level
from zonkey.train.whole import WholeRun, train_all

__all__ = ["TrainSummary", "WholeRun", "finetune", "train_all", "train_level"]
