"""Training: one loop for a single level on frozen lower ones, for all levels end to end, and for the baselines."""

from zonkey.fit import TrainSummary
from zonkey.train.adapt import adapt
from zonkey.train.stages import finetune, train_flow, train_level
from zonkey.train.whole import WholeRun, plan, reading, totals, train_all

__all__ = [
    "TrainSummary",
    "WholeRun",
    "adapt",
    "finetune",
    "plan",
    "reading",
    "totals",
    "train_all",
    "train_flow",
    "train_level",
]
