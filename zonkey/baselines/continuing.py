"""Many texts continued side by side, for measurements that need thousands of short continuations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from zonkey.baselines.language import LanguageModel
from zonkey.baselines.vocabulary import ByteVocabulary
from zonkey.baselines.writing import greedy, sampled

BATCH_BYTES = 16384  # of texts and what is written after them, side by side
Continuer = Callable[[Sequence[bytes], int], list[bytes]]


def continuer(model: LanguageModel, generator: torch.Generator | None = None, temperature: float = 1.0) -> Continuer:
    """As :meth:`LanguageModel.continue_text` for many texts: so many bytes after each (before it, read from the end).

    Texts of one length are written side by side. The likeliest bytes without a generator; with one, what is drawn
    depends on the texts beside it.

    Raises:
        ValueError: the temperature is not above 0, or the model reads tokens, which differ in size: how far back a
            text is read would depend on those beside it.
    """
    if not isinstance(model.vocabulary, ByteVocabulary):
        raise ValueError(f"a model of {model.begin} tokens is not continued side by side; give one that reads bytes")
    choose = sampled(generator, temperature) if generator else greedy

    def write_on(texts: Sequence[bytes], count: int) -> list[bytes]:
        prompts = model.encode(texts)
        groups: dict[int, list[int]] = {}
        for row, text in enumerate(texts):
            groups.setdefault(len(text), []).append(row)
        written: dict[int, bytes] = {}
        for length, rows in groups.items():
            size = max(BATCH_BYTES // (length + count + 1), 1)
            for batch in (rows[at : at + size] for at in range(0, len(rows), size)):
                found = model._write([prompts[row] for row in batch], [count] * len(batch), choose)
                written |= dict(zip(batch, found, strict=True))
        return [written[row] for row in range(len(texts))]

    return write_on
