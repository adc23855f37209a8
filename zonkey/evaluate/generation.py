"""How much generated text is like the text that was trained on."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from zonkey.data import Corpus
from zonkey.evaluate.diversity import nearest
from zonkey.evaluate.round_trip import reconstruction
from zonkey.model import Zonkey

WORD = re.compile(r"\w+(?:['’-]\w+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
SENTENCE_WORDS = 3  # what is shorter is a heading, or the end of a sentence that was cut
ALIKE = 0.9  # similarity from which on two texts are the same but for a slip
READ_BYTES = 64_000_000  # of training text that words are collected from


@dataclass(frozen=True)
class GenerationScore:
    """Generated texts, counted."""

    texts: int
    word_share: float  # of generated words that exist: that the training text has often enough
    words: int
    type_share: float  # of *different* generated words; the same few words over and over do not raise it
    types: int
    sentence_share: float | None  # of sentences that the source's grammar accepts; None where it has none
    sentences: int  # of at least three words
    distinct: float  # share of texts that are different from all others, be it in one letter
    apart: float  # share of texts that no other is 90% similar to
    nearest_mean: float | None  # similarity (0 to 1) of a text to the one most like it; None of a single text
    nearest_max: float | None
    copied: float  # share of texts (of 20 bytes or more) that stand in the training text to the letter
    empty: float
    mean_bytes: float
    std_bytes: float
    least_bytes: int
    most_bytes: int


def generation_score(
    texts: Sequence[str], known: Collection[str], corpus: Corpus, accepts: Callable[[str], bool] | None = None
) -> GenerationScore:
    """Score texts against the words of the training text, the text itself, and a recogniser of sentences.

    A generated text may begin or end within a word or a sentence: both count as they stand. ``known`` is what
    :func:`corpus_words` gives.

    Raises:
        ValueError: there is no text.
    """
    if not texts:
        raise ValueError("give at least one generated text")
    found = [word for text in texts for word in words(text)]
    said = [sentence for text in texts for sentence in sentences(text)]
    sizes = [len(text.encode()) for text in texts]
    long = [text.encode() for text in texts if len(text.encode()) >= 20]
    training = corpus.data[:READ_BYTES].tobytes()
    accepted = sum(map(accepts, said)) if accepts else 0
    different, alike = {*found}, nearest(texts)
    return GenerationScore(
        texts=len(texts),
        word_share=sum(word in known for word in found) / max(len(found), 1),
        words=len(found),
        type_share=sum(word in known for word in different) / max(len(different), 1),
        types=len(different),
        sentence_share=accepted / max(len(said), 1) if accepts else None,
        sentences=len(said),
        distinct=sum(texts.count(text) == 1 for text in texts) / len(texts),
        apart=sum(one < ALIKE for one in alike) / len(alike) if alike else 1.0,
        nearest_mean=statistics.fmean(alike) if alike else None,
        nearest_max=max(alike, default=None),
        copied=sum(text in training for text in long) / max(len(long), 1),
        empty=sum(not text.strip() for text in texts) / len(texts),
        mean_bytes=statistics.fmean(sizes),
        std_bytes=statistics.pstdev(sizes),
        least_bytes=min(sizes),
        most_bytes=max(sizes),
    )


@dataclass(frozen=True)
class WholeSentences:
    """Sentences of at least three words that stand whole in texts, counted."""

    share: float | None  # that the source's grammar accepts; None where there is none
    sentences: int
    words: float | None  # share of their words that exist


def whole_sentences(
    texts: Sequence[str], known: Collection[str], accepts: Callable[[str], bool] | None = None
) -> WholeSentences:
    """All sentences of texts that begin and end anywhere, but the first and last of each, which may be cut."""
    return _whole(inner_sentences(texts), known, accepts)


def returned_sentences(
    model: Zonkey,
    said: Sequence[str],
    level: int,
    known: Collection[str],
    accepts: Callable[[str], bool] | None = None,
) -> WholeSentences:
    """Real sentences, each alone up to ``level`` and down again: what is left where nothing had to be made up.

    Raises:
        ValueError: there is no sentence or no such level, or one is too short or too long for the model.
    """
    return _whole(reconstruction(model, said, level).results, known, accepts)


def inner_sentences(texts: Sequence[str]) -> list[str]:
    """The sentences of all texts that stand between others, and so are whole wherever a text was cut."""
    return [sentence for text in texts for sentence in _parts(text)[1:-1] if _is_long(sentence)]


def corpus_words(corpus: Corpus, limit: int = READ_BYTES, least: int = 1) -> frozenset[str]:
    """Words that the first ``limit`` bytes of a corpus hold at least ``least`` times, in lower case.

    In much text by many people nearly every short string stands somewhere once.
    """
    found: Counter[str] = Counter()
    for index in range(len(corpus)):
        if corpus.offsets[index] >= limit:
            break
        found.update(words(corpus.text(index)))
    return frozenset(word for word, count in found.items() if count >= least)


def words(text: str) -> list[str]:
    """Words and numbers, in lower case."""
    return WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """What lies between sentence ends and line ends, if it has at least three words."""
    return list(filter(_is_long, _parts(text)))


def _whole(found: Sequence[str], known: Collection[str], accepts: Callable[[str], bool] | None) -> WholeSentences:
    said = [word for sentence in found for word in words(sentence)]
    return WholeSentences(
        share=sum(map(accepts, found)) / len(found) if accepts and found else None,
        sentences=len(found),
        words=sum(word in known for word in said) / len(said) if said else None,
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(text) if part.strip()]


def _is_long(sentence: str) -> bool:
    return len(words(sentence)) >= SENTENCE_WORDS
