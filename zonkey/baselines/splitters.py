"""Where others cut: every splitter takes a text's bytes to the sorted offsets at which segments begin, 0 first.

Each can be set to a wanted number of bytes per segment, so that like is compared with like; ``white_space`` alone
has the text's own rate.
"""

from __future__ import annotations

import logging
import math
import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from zonkey.baselines.chunker import ChunkingModel
from zonkey.baselines.language import LanguageModel
from zonkey.baselines.vocabulary import TokenVocabulary

log = logging.getLogger(__name__)

Splitter = Callable[[bytes], Sequence[int]]
SPACE = re.compile(rb"\s+")
NEAR = 0.05  # a rate further from the wanted one is worth a warning


def fixed_stride(bytes_per_segment: float) -> Splitter:
    """Every so many bytes; between whole numbers, the nearest offsets."""
    _check(bytes_per_segment)

    def split(text: bytes) -> Sequence[int]:
        count = math.ceil(len(text) / bytes_per_segment)
        return sorted({at for at in (round(k * bytes_per_segment) for k in range(count)) if at < len(text)})

    return split


def random_splitter(bytes_per_segment: float, seed: int) -> Splitter:
    """Every byte begins a segment with the same probability; a text and a seed always give the same cuts."""
    _check(bytes_per_segment)

    def split(text: bytes) -> Sequence[int]:
        drawn = np.random.default_rng([seed, zlib.crc32(text)]).random(len(text))
        return _offsets(drawn < 1 / bytes_per_segment)

    return split


def white_space() -> Splitter:
    """The oracle: at every run of white space, which stays with the word after it, as in segments that are learned."""
    return lambda text: sorted({0, *(found.start() for found in SPACE.finditer(text))}) if text else []


def entropy_splitter(model: LanguageModel, threshold: float, monotone: bool = False) -> Splitter:
    """Where the model is unsure of the byte that follows (entropy patching of byte-latent transformers).

    Args:
        model: reads bytes.
        threshold: bits; see :func:`calibrate`.
        monotone: where the entropy *rises* by more than this over the byte before's, instead of where it is above.
    """
    return lambda text: _offsets(_rise(model.entropies([text])[0], monotone) > threshold)


def chunk_splitter(model: ChunkingModel, threshold: float = 0.5) -> Splitter:
    """Where a model that learned to cut by predicting begins its chunks; it was trained with a threshold of a half."""
    return lambda text: _offsets(model.begins([text])[0] > threshold)


def calibrate(model: LanguageModel, texts: Sequence[bytes], bytes_per_segment: float, monotone: bool = False) -> float:
    """The threshold of :func:`entropy_splitter` that gives ``texts`` the wanted rate, as nearly as it can.

    Of a :class:`ChunkingModel`, the threshold of :func:`chunk_splitter`.

    Raises:
        ValueError: fewer than one byte per segment are wanted, or there is no text.
    """
    _check(bytes_per_segment)
    if not any(texts):
        raise ValueError("there is no text to set the threshold by; give at least one")
    rows = model.begins(texts) if isinstance(model, ChunkingModel) else model.entropies(texts)
    found = np.concatenate([_rise(one, monotone)[1:] for one in rows])  # offset 0 begins anyhow
    size, begun = sum(map(len, texts)), sum(map(bool, texts))
    cuts = min(max(round(size / bytes_per_segment) - begun, 0), len(found))
    ordered = np.sort(found)[::-1]
    above = ordered[cuts - 1] if cuts else np.inf
    below = ordered[cuts] if cuts < len(found) else -np.inf
    if np.isfinite([above, below]).all():
        return float((above + below) / 2)
    return float(ordered[0] if cuts == 0 else ordered[-1] - 1) if len(found) else 0.0


def bpe_splitter(vocabulary: TokenVocabulary) -> Splitter:
    """Every token is a segment."""

    def split(text: bytes) -> Sequence[int]:
        sizes = vocabulary.sizes[vocabulary.encode([text])[0]]
        return (np.cumsum(sizes) - sizes).tolist()

    return split


def bpe_of_rate(vocabulary: TokenVocabulary, texts: Sequence[bytes], bytes_per_segment: float) -> TokenVocabulary:
    """The first merges of ``vocabulary``, as many as bring its tokens of ``texts`` to the wanted mean length.

    Tokens end with words: a rate that all merges together do not reach is approached, and logged as a warning.
    """
    _check(bytes_per_segment)
    size = sum(map(len, texts))
    low, high = 0, len(vocabulary.merges)  # the rate grows with the merges
    while low < high:
        middle = (low + high) // 2
        if _rate(vocabulary.first(middle), texts, size) < bytes_per_segment:
            low = middle + 1
        else:
            high = middle
    near = [vocabulary.first(count) for count in {max(low - 1, 0), low}]
    best = min(near, key=lambda one: abs(_rate(one, texts, size) - bytes_per_segment))
    reached = _rate(best, texts, size)
    if abs(reached / bytes_per_segment - 1) > NEAR:
        log.warning("BPE reaches %.2f bytes per segment where %.2f are wanted", reached, bytes_per_segment)
    return best


def _rate(vocabulary: TokenVocabulary, texts: Sequence[bytes], size: int) -> float:
    return size / max(sum(map(len, vocabulary.encode(texts))), 1)


def _rise(entropy: np.ndarray, monotone: bool) -> np.ndarray:
    return np.diff(entropy, prepend=0.0) if monotone else entropy


def _offsets(begins: np.ndarray) -> list[int]:
    """Offsets of begins, and 0."""
    begins = begins.copy()
    begins[:1] = True
    return np.flatnonzero(begins).tolist()


def _check(bytes_per_segment: float) -> None:
    if not bytes_per_segment >= 1:
        raise ValueError(f"bytes_per_segment is {bytes_per_segment}; a segment has at least one byte")
