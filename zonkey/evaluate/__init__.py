"""Metrics of a trained model on held-out text: pure functions, frozen results, nothing a loss ever sees."""

from zonkey.evaluate.generation import GenerationScore, corpus_words, generation_score, sentences, words
from zonkey.evaluate.infilling import Blank, InfillScore, blanks, fill, infill_score
from zonkey.evaluate.records import flat, rounded
from zonkey.evaluate.round_trip import Reconstruction, batches, noise_curve, reconstruction
from zonkey.evaluate.segmentation import (
    KINDS,
    LevelReport,
    Match,
    kinds_of,
    level_report,
    match,
    segment_lengths,
    sentence_starts,
    word_starts,
)
from zonkey.evaluate.text import TextScore, compare, similarity
from zonkey.evaluate.watching import ExistenceProfile, denoising, existence_profile
from zonkey.evaluate.whole import measure

__all__ = [
    "KINDS",
    "Blank",
    "ExistenceProfile",
    "GenerationScore",
    "InfillScore",
    "LevelReport",
    "Match",
    "Reconstruction",
    "TextScore",
    "batches",
    "blanks",
    "compare",
    "corpus_words",
    "denoising",
    "existence_profile",
    "fill",
    "flat",
    "generation_score",
    "infill_score",
    "kinds_of",
    "level_report",
    "match",
    "measure",
    "noise_curve",
    "reconstruction",
    "rounded",
    "segment_lengths",
    "sentence_starts",
    "sentences",
    "similarity",
    "word_starts",
    "words",
]
