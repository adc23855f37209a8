"""How well a language model knows text that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zonkey.baselines.language import LanguageModel


@dataclass(frozen=True)
class LanguageScore:
    """A model, and what held-out text costs it."""

    parameters: int
    entries: int  # of its vocabulary
    bytes_per_entry: float  # of the texts
    bits_per_byte: float  # over all bytes of the texts, whichever text they stand in
    bytes: int  # measured on


def language_score(model: LanguageModel, texts: Sequence[bytes]) -> LanguageScore:
    """Bits per byte of ``texts``.

    Raises:
        ValueError: there is no text.
    """
    size = sum(map(len, texts))
    if not size:
        raise ValueError("there is no text to score; give at least one")
    return LanguageScore(
        parameters=sum(p.numel() for p in model.parameters()),
        entries=len(model.sizes),
        bytes_per_entry=size / sum(map(len, model.encode(texts))),
        bits_per_byte=float(sum(bits.sum() for bits in model.bits(texts)) / size),
        bytes=size,
    )
