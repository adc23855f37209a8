"""Training: one loop for a single level on frozen lower ones, for all levels end to end, and for the baselines."""

from zonkey.train.adapt import adapt
from zonkey.train.run import TrainSummary
from zonkey.train.stages import finetune, train_level
from zonkey.train.whole import WholeRun, train_all

__all__ = ["TrainSummary", "WholeRun", "adapt", "finetune", "train_all", "train_level"]
