"""A tiny language model, the same for the same arguments."""

from __future__ import annotations

import torch

from zonkey.baselines import ByteVocabulary, LanguageModel
from zonkey.baselines.vocabulary import Vocabulary
from zonkey.config import LanguageConfig

SHAPE = LanguageConfig(width=16, heads=2, layers=2, context=16)


def language(vocabulary: Vocabulary | None = None, reverse: bool = False, seed: int = 0) -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LanguageModel(SHAPE, vocabulary or ByteVocabulary(), reverse).eval()
        torch.nn.init.normal_(model.head.weight, std=0.5)  # sure of something, unlike a new model
    return model


def uniform(vocabulary: Vocabulary | None = None) -> LanguageModel:
    """Every entry is as likely as any other."""
    model = language(vocabulary)
    torch.nn.init.zeros_(model.head.weight)
    return model


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
