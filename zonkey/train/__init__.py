"""Training: one loop for a single level on frozen lower ones, for all levels end to end, and for the baselines."""

from zonkey.train.run import TrainSummary
from zonkey.train.stages import finetune, train_level

__all__ = ["TrainSummary", "finetune", "train_level"]
