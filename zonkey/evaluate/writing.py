"""One record of everything measured of generated texts, and the yardstick that it is measured with."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from zonkey.data import Corpus
from zonkey.evaluate.diversity import TextIndex, distinct, index_text, jensen_shannon, longest_copy
from zonkey.evaluate.generation import READ_BYTES, GenerationScore, corpus_words, generation_score, sentences, words
from zonkey.evaluate.judge import Judge, Splitter, bits_per_byte
from zonkey.evaluate.references import pieces
from zonkey.model import Zonkey


@dataclass(frozen=True)
class Yardstick:
    """What generated texts are measured with."""

    judge: Judge
    known: Collection[str]  # words of the training text that count as existing
    training: Corpus
    index: TextIndex  # of the training text
    splitter: Splitter  # whose segments are measured
    reference: tuple[str, ...]  # held-out pieces
    accepts: Callable[[str], bool] | None  # recogniser of sentences, where the corpus has a grammar


@dataclass(frozen=True)
class WritingScore(GenerationScore):
    """Texts of one source; None where there is nothing to measure."""

    source: str
    steps: int | None  # of the sampler; None where there is none
    passes: int | None  # of a network in these steps, see :func:`network_passes`
    bits: float | None  # the judge's, per byte
    distinct1: float | None  # different words over all words
    distinct2: float | None  # the same of pairs of words
    distinct3: float | None
    distinct4: float | None
    distinct4_ratio: float | None  # to the reference's
    distinct8_bytes: float | None  # different runs of 8 bytes over all
    copy_mean: float  # bytes of a text's longest copy from the training text
    copy_max: int
    copy_share: float  # longest copy over the text's length, mean
    segment_distance: float | None  # Jensen-Shannon, of lengths in bytes to the reference's
    word_distance: float | None  # of lengths in characters
    sentence_distance: float | None  # of lengths in words
    mauve: float | None  # on the judge's features, to the reference; None without the package


def yardstick(
    judge: Judge,
    training: Corpus,
    heldout: Sequence[str],
    lengths: Sequence[int],
    splitter: Splitter,
    accepts: Callable[[str], bool] | None = None,
    seed: int = 0,
    least_count: int = 1,
) -> Yardstick:
    """Prepare what all sources are measured with; the reference is cut from ``heldout`` to ``lengths`` bytes.

    Words exist that the training text has at least ``least_count`` times.

    Raises:
        ValueError: there is no held-out or no training text.
    """
    index = index_text(training.data[:READ_BYTES])
    reference = tuple(pieces(heldout, lengths, seed))
    known = corpus_words(training, least=least_count)
    return Yardstick(judge, known, training, index, splitter, reference, accepts)


def network_passes(model: Zonkey, steps: int) -> int:
    """How often a network reads a text in so many steps of the sampler, at the most: flow, denoiser or compressor.

    Reading a finished block for those after it, and the result, with one more pass of each level's denoiser, are not
    among them.
    """
    if model.config.objective != "flow":
        return 2 * steps  # denoise, compress
    return steps * -(-model.config.levels[-1].window // model.config.flow.block)


def writing_score(
    texts: Sequence[str], against: Yardstick, source: str, steps: int | None = None, passes: int | None = None
) -> WritingScore:
    """Measure the texts of one source.

    Raises:
        ValueError: there is no text.
    """
    counts = generation_score(texts, against.known, against.training, against.accepts)
    said, wanted = ([words(text) for text in some] for some in (texts, against.reference))
    data, reference = ([text.encode() for text in some] for some in (texts, against.reference))
    copies = [longest_copy(against.index, text) for text in data]
    return WritingScore(
        **asdict(counts),
        source=source,
        steps=steps,
        passes=passes,
        bits=bits_per_byte(against.judge, data),
        distinct1=distinct(said, 1),
        distinct2=distinct(said, 2),
        distinct3=distinct(said, 3),
        distinct4=distinct(said, 4),
        distinct4_ratio=_ratio(distinct(said, 4), distinct(wanted, 4)),
        distinct8_bytes=distinct(data, 8),
        copy_mean=sum(copies) / len(copies),
        copy_max=max(copies),
        copy_share=sum(copy / max(len(text), 1) for copy, text in zip(copies, data, strict=True)) / len(copies),
        segment_distance=jensen_shannon(*(_segment_lengths(some, against.splitter) for some in (data, reference))),
        word_distance=jensen_shannon(*([len(word) for text in some for word in text] for some in (said, wanted))),
        sentence_distance=jensen_shannon(*(_sentence_lengths(some) for some in (texts, against.reference))),
        mauve=mauve_score(against.judge, data, reference),
    )


def mauve_score(judge: Judge, texts: Sequence[bytes], reference: Sequence[bytes]) -> float | None:
    """MAUVE (Pillutla et al., 2021) on the judge's features; None where ``mauve-text`` is not installed.

    It is noisy below some thousand texts; empty texts do not count.
    """
    one, other = ([text for text in some if text] for some in (texts, reference))
    if importlib.util.find_spec("mauve") is None or not one or not other:
        return None
    package: Any = importlib.import_module("mauve")
    features = {"p_features": judge.features(other), "q_features": judge.features(one)}
    return float(package.compute_mauve(**features, verbose=False, seed=0).mauve)


def _segment_lengths(texts: Sequence[bytes], splitter: Splitter) -> list[int]:
    return [end - start for text in texts if text for start, end in pairwise([*splitter(text), len(text)])]


def _sentence_lengths(texts: Sequence[str]) -> list[int]:
    return [len(words(sentence)) for text in texts for sentence in sentences(text)]


def _ratio(value: float | None, reference: float | None) -> float | None:
    return None if value is None or not reference else value / reference
