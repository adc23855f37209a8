"""How much generated text is like the text that was trained on."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from zonkey.data import Corpus

WORD = re.compile(r"\w+(?:['’-]\w+)*")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
READ_BYTES = 64_000_000  # of training text that words are collected from


@dataclass(frozen=True)
class GenerationScore:
    """Generated texts, counted."""

    texts: int
    word_share: float  # of generated words that occur in the training text
    words: int
    sentence_share: float | None  # of sentences that the source's grammar accepts; None where it has none
    sentences: int
    distinct: float  # share of texts that are different from all others
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

    A generated text may begin or end within a word or a sentence: both count as they stand.

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
    return GenerationScore(
        texts=len(texts),
        word_share=sum(word in known for word in found) / max(len(found), 1),
        words=len(found),
        sentence_share=accepted / max(len(said), 1) if accepts else None,
        sentences=len(said),
        distinct=sum(texts.count(text) == 1 for text in texts) / len(texts),
        copied=sum(text in training for text in long) / max(len(long), 1),
        empty=sum(not text.strip() for text in texts) / len(texts),
        mean_bytes=statistics.fmean(sizes),
        std_bytes=statistics.pstdev(sizes),
        least_bytes=min(sizes),
        most_bytes=max(sizes),
    )


@dataclass(frozen=True)
class WholeSentences:
    """Sentences that stand whole in texts, counted."""

    share: float | None  # that the source's grammar accepts; None where there is none
    sentences: int
    words: float | None  # share of their words that occur in the training text


def whole_sentences(texts: Sequence[str], known: Collection[str], accepts: Callable[[str], bool]) -> WholeSentences:
    """All sentences of texts that begin and end anywhere, but the first and last of each, which may be cut."""
    found = [sentence for text in texts for sentence in sentences(text)[1:-1]]
    said = [word for sentence in found for word in words(sentence)]
    return WholeSentences(
        share=sum(map(accepts, found)) / len(found) if found else None,
        sentences=len(found),
        words=sum(word in known for word in said) / len(said) if said else None,
    )


def corpus_words(corpus: Corpus, limit: int = READ_BYTES) -> frozenset[str]:
    """Every word of the first ``limit`` bytes of a corpus, in lower case."""
    found: set[str] = set()
    for index in range(len(corpus)):
        if corpus.offsets[index] >= limit:
            break
        found.update(words(corpus.text(index)))
    return frozenset(found)


def words(text: str) -> list[str]:
    """Words and numbers, in lower case."""
    return WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """What lies between sentence ends and line ends."""
    return [part.strip() for part in SENTENCE_END.split(text) if part.strip()]
