"""Training: one loop for a single level on frozen lower ones, and for all levels end to end."""

from zonkey.train.stages import TrainSummary, finetune, train_level

__all__ = ["TrainSummary", "finetune", "train_level"]
