"""Weights of the loss terms, and how they change in the course of training."""

from __future__ import annotations

from zonkey.config.base import Fraction, Frozen, Positive, Weight

SPLITTING = ("window", "short", "rate", "predict", "surprise", "decisive")  # terms of predictor and splitter
SETTINGS = ("masked_rows", "negatives", "delay")  # no weights


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
    predict: Weight  # the next position from the few before it, for `surprise`
    surprise: Weight  # splitter: begins where the predictor calls for none; both only until `foresight_until`
    decisive: Weight  # splitter: begins that are neither 0 nor 1
    masked: Weight  # prediction of masked vectors from the rest of a segment, above level 0
    masked_bytes: Weight  # the same at level 0 (not in the paper: infilling needs it; above 0.1 it delays learning)
    masked_rows: Fraction  # of the segments that also pass with vectors masked
    spread: Weight
    position: Weight  # stitcher
    sequence: Weight  # stitcher
    negatives: Positive  # sampled vectors a contrastive loss tells the truth from
    delay: Fraction  # of a level's steps before all but reconstruction and splitting begins: units settle first

    def foretelling(self) -> LossConfig:
        """The weights while only a predictor is trained."""
        return self._only(("predict",))

    def splitting(self) -> LossConfig:
        """The weights while begins are chosen by foresight alone."""
        return self._only(SPLITTING)

    @property
    def reconstructs(self) -> bool:
        """Whether anything but predictor and splitter is trained."""
        return self != self.splitting()

    def _only(self, terms: tuple[str, ...]) -> LossConfig:
        kept = (*terms, *SETTINGS)
        return self.model_copy(update={name: 0.0 for name in type(self).model_fields if name not in kept})

    def unforeseen(self) -> LossConfig:
        """The weights once begins are left to reconstruction."""
        return self.model_copy(update={"predict": 0.0, "surprise": 0.0})

    def early(self) -> LossConfig:
        """The weights while delayed terms are off."""
        late = ("dirty", "noisy", "masked", "masked_bytes", "position", "sequence")
        return self.model_copy(update=dict.fromkeys(late, 0.0))
