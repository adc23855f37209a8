"""Metrics of a trained model on held-out text: pure functions, frozen results, nothing a loss ever sees."""

from zonkey.evaluate.diversity import TextIndex, distinct, index_text, jensen_shannon, longest_copy
from zonkey.evaluate.fidelity import (
    Fidelity,
    LevelFidelity,
    fidelity_score,
    floats_per_byte,
    level_fidelity,
    script,
    segments_right,
)
from zonkey.evaluate.generation import GenerationScore, corpus_words, generation_score, sentences, words
from zonkey.evaluate.infilling import Blank, InfillScore, blanks, fill, infill_score
from zonkey.evaluate.judge import Judge, Splitter, bits_per_byte
from zonkey.evaluate.records import flat, rounded
from zonkey.evaluate.references import pieces, shuffled
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
from zonkey.evaluate.splitting import (
    Agreement,
    Boundaries,
    SplitterScore,
    found_boundaries,
    splitter_scores,
    true_boundaries,
    zonkey_splitters,
)
from zonkey.evaluate.text import TextScore, compare, similarity
from zonkey.evaluate.watching import ExistenceProfile, denoising, existence_profile
from zonkey.evaluate.writing import WritingScore, Yardstick, mauve_score, writing_score, yardstick

__all__ = [
    "KINDS",
    "Agreement",
    "Blank",
    "Boundaries",
    "ExistenceProfile",
    "Fidelity",
    "GenerationScore",
    "InfillScore",
    "Judge",
    "LevelFidelity",
    "LevelReport",
    "Match",
    "Reconstruction",
    "Splitter",
    "SplitterScore",
    "TextIndex",
    "TextScore",
    "WritingScore",
    "Yardstick",
    "batches",
    "bits_per_byte",
    "blanks",
    "compare",
    "corpus_words",
    "denoising",
    "distinct",
    "existence_profile",
    "fidelity_score",
    "fill",
    "flat",
    "floats_per_byte",
    "found_boundaries",
    "generation_score",
    "index_text",
    "infill_score",
    "jensen_shannon",
    "kinds_of",
    "level_fidelity",
    "level_report",
    "longest_copy",
    "match",
    "mauve_score",
    "noise_curve",
    "pieces",
    "reconstruction",
    "rounded",
    "script",
    "segment_lengths",
    "segments_right",
    "sentence_starts",
    "sentences",
    "shuffled",
    "similarity",
    "splitter_scores",
    "true_boundaries",
    "word_starts",
    "words",
    "writing_score",
    "yardstick",
    "zonkey_splitters",
]
