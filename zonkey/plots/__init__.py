"""Figures from arrays and plain records: no model in, no file read, the same bytes for the same numbers."""

from zonkey.plots.comparisons import against, bars, seed_spread
from zonkey.plots.curves import existence_decay, length_histograms, loss_curves, noise_curves
from zonkey.plots.grids import begin_probabilities, denoising_steps, windows
from zonkey.plots.style import save
from zonkey.plots.tour import begins_and_existence, cosines, existence_given, paths_on_the_circle

__all__ = [
    "against",
    "bars",
    "begin_probabilities",
    "begins_and_existence",
    "cosines",
    "denoising_steps",
    "existence_decay",
    "existence_given",
    "length_histograms",
    "loss_curves",
    "noise_curves",
    "paths_on_the_circle",
    "save",
    "seed_spread",
    "windows",
]
