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

from zonkey.baselines.vocabulary import TokenVocabulary
from zonkey.data import Corpus

log = logging.getLogger(__name__)

Splitter = Callable[[bytes], Sequence[int]]
Signal = Callable[[Sequence[bytes]], list[np.ndarray]]  # a number for every byte of every text, (bytes,) each
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


def remembered(signal: Signal) -> Signal:
    """The same, but each text is read once: a threshold is set for every level, and then cut by."""
    known: dict[bytes, np.ndarray] = {}

    def look(texts: Sequence[bytes]) -> list[np.ndarray]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, signal(new) if new else (), strict=True))
        return [known[text] for text in texts]

    return look


def threshold_splitter(signal: Signal, threshold: float, monotone: bool = False) -> Splitter:
    """Where a signal is above ``threshold``.

    Args:
        signal: entropies of what a model expects (patching of byte-latent transformers), in bits, or probabilities
            that a chunk begins, of a model that was trained with a threshold of a half.
        threshold: see :func:`calibrate`.
        monotone: where the signal *rises* by more than this over the byte before's, instead of where it is above.
    """
    return lambda text: _offsets(_rise(signal([text])[0], monotone) > threshold)


def calibrate(signal: Signal, texts: Sequence[bytes], bytes_per_segment: float, monotone: bool = False) -> float:
    """The threshold of :func:`threshold_splitter` that gives ``texts`` the wanted rate, as nearly as it can.

    Raises:
        ValueError: fewer than one byte per segment are wanted, or there is no text.
    """
    _check(bytes_per_segment)
    if not any(texts):
        raise ValueError("there is no text to set the threshold by; give at least one")
    found = np.concatenate([_rise(one, monotone)[1:] for one in signal(texts)])  # offset 0 begins anyhow
    size, begun = sum(map(len, texts)), sum(map(bool, texts))
    cuts = min(max(round(size / bytes_per_segment) - begun, 0), len(found))
    ordered = np.sort(found)[::-1]
    above = ordered[cuts - 1] if cuts else np.inf
    below = ordered[cuts] if cuts < len(found) else -np.inf
    if np.isfinite([above, below]).all():
        return float((above + below) / 2)
    return float(ordered[0] if cuts == 0 else ordered[-1] - 1) if len(found) else 0.0


def first_documents(corpus: Corpus, limit: int) -> list[bytes]:
    """What a tokenizer learns from: the first documents, of at most ``limit`` bytes together, but at least one."""
    count = int((corpus.offsets[1:] <= limit).sum())
    return [corpus[index] for index in range(max(count, 1))]


def bpe_splitter(vocabulary: TokenVocabulary) -> Splitter:
    """Every token is a segment."""

    def split(text: bytes) -> Sequence[int]:
        sizes = vocabulary.sizes[vocabulary.encode([text])[0]]
        return (np.cumsum(sizes) - sizes).tolist()

    return split


def bpe_of_rate(vocabulary: TokenVocabulary, texts: Sequence[bytes], bytes_per_segment: float) -> TokenVocabulary:
    """The first merges of ``vocabulary``, as many as bring its tokens of ``texts`` to the wanted mean length.

    A rate that all merges together do not reach is approached, and logged as a warning: tokens that end with words
    have no more bytes than these, and no token holds what occurs once.
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


def _rise(signal: np.ndarray, monotone: bool) -> np.ndarray:
    return np.diff(signal, prepend=0.0) if monotone else signal


def _offsets(begins: np.ndarray) -> list[int]:
    """Offsets of begins, and 0."""
    begins = begins.copy()
    begins[:1] = True
    return np.flatnonzero(begins).tolist()


def _check(bytes_per_segment: float) -> None:
    if not bytes_per_segment >= 1:
        raise ValueError(f"bytes_per_segment is {bytes_per_segment}; a segment has at least one byte")
