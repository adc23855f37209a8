"""Training: one loop for a single level on frozen lower ones, for all levels end to end, and for the baselines."""

from zonkey.train.run import TrainSummary
from zonkey.train.stages import finetune, train_flow, train_level
from zonkey.train.whole import WholeRun, train_all

__all__ = ["TrainSummary", "WholeRun", "finetune", "train_all", "train_flow", "train_level"]
