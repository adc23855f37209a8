"""Weights of the loss terms. How they change in the course of training: zonkey/phases.py."""

from __future__ import annotations

from zonkey.config.base import Fraction, Frozen, Positive, Weight


class LossConfig(Frozen):
    """Weights of the loss terms; 0 turns a term off."""

    clean: Weight
    regression: Weight  # above level 0: 1 - cos beside the contrastive reconstruction
    dirty: Weight  # ddmm: distance to the best point between the noisy result and the truth
    noisy: Weight  # flow: reconstruction from a noised latent, times 1 - t
    through: Weight  # above level 0: reconstruction of the level below from a denoised vector
    existence: Weight
    window: Weight  # splitter: windows without a begin
    short: Weight  # splitter: segments shorter than C
    rate: Weight
    predict: Weight  # what comes from the few positions before it, for `surprise`
    surprise: Weight  # splitter: begins where the predictor calls for none; both only until `foresight_until`
    decisive: Weight  # splitter: begins that are neither 0 nor 1
    masked: Weight  # prediction of masked vectors from the rest of a segment, above level 0
    masked_bytes: Weight  # the same at level 0 (not in the paper: infilling needs it; above 0.1 it delays learning)
    masked_rows: Fraction  # of the segments that also pass with vectors masked
    spread: Weight
    position: Weight  # stitcher
    sequence: Weight  # stitcher
    negatives: Positive  # sampled vectors a contrastive loss tells the truth from
    delay: Fraction  # of a level's steps before the terms that wait begin: units settle first
