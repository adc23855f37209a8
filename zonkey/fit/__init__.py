"""Fitting any model to text: one loop, resumed where it stopped, in one process or several. It knows no model."""

from zonkey.fit.code import code_fingerprint
from zonkey.fit.learner import Learner, Outcome
from zonkey.fit.loop import TrainingError
from zonkey.fit.run import Run, TrainSummary, bytes_read, fit
from zonkey.fit.worker import parameters

__all__ = [
    "Learner",
    "Outcome",
    "Run",
    "TrainSummary",
    "TrainingError",
    "bytes_read",
    "code_fingerprint",
    "fit",
    "parameters",
]
