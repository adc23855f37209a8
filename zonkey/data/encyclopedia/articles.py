"""Writing articles: from a seed and an index to text, with the true boundaries and the derivation's bits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np

from zonkey.data.encyclopedia.draw import Draw
from zonkey.data.encyclopedia.grammar import Block, Group, Kind, grammar
from zonkey.data.encyclopedia.nodes import INDEFINITE, Derivation, indefinite

SOURCES = ("encyclopedia", "encyclopedia-other")  # the second has another vocabulary, other names and plans
_OPTIONAL = 0.7  # how often an optional sentence is written
_TOKEN = re.compile(r"\w+(?:['’.,-]\w+)*")


@dataclass(frozen=True)
class Article:
    """One article and what is true of it; offsets count bytes of ``text`` in UTF-8."""

    id: str
    url: str
    title: str
    text: str
    kind: str
    words: tuple[int, ...]  # where each word or number begins
    sentences: tuple[int, ...]  # where each sentence, heading or list item begins
    ends: tuple[int, ...]  # where each of these ends
    bits: float  # -log2 of the probability of this derivation

    def lines(self) -> list[str]:
        """The sentences, headings and list items, in order."""
        data = self.text.encode()
        return [data[a:b].decode() for a, b in zip(self.sentences, self.ends, strict=True)]


@dataclass(frozen=True)
class Entropy:
    """An estimate, with its standard error, from ``articles`` articles."""

    bits_per_character: float
    standard_error: float
    articles: int


def articles(count: int, seed: int, source: str = "encyclopedia") -> Iterator[Article]:
    """The first ``count`` articles of ``seed``; article i hangs on (seed, i) and the grammar only.

    Raises:
        ValueError: ``count`` or ``seed`` is negative.
    """
    if count < 0 or seed < 0:
        raise ValueError(f"count is {count} and seed {seed}; neither may be negative")
    return (article(seed, index, source) for index in range(count))


def pieces(count: int, size: int, seed: int) -> list[str]:
    """``count`` pieces of articles, of ``size`` bytes each, or less where a character would be cut."""
    text, number = b"", 0
    while len(text) < count * size:
        text += article(seed, number).text.encode() + b"\n"
        number += 1
    return [text[at * size : (at + 1) * size].decode(errors="ignore") for at in range(count)]


def article(seed: int, index: int, source: str = "encyclopedia") -> Article:
    """Article number ``index`` of ``seed``."""
    rules = grammar(source)
    draw = Draw(seed, index)
    kind = rules.kinds[draw.pick(rules.law)]
    writer = _Writer(Derivation(draw))
    writer.plan(kind)
    bits = draw.bits  # the title repeats facts of the text, so the text's bits end here
    title = writer.finish(kind.title.write(writer.derivation))
    title = title[0].upper() + title[1:]
    text = writer.text
    at = _byte_offsets(text)
    return Article(
        id=f"{seed}-{index}",
        url=f"{source}:{seed}/{index}",
        title=title,
        text=text,
        kind=kind.name,
        words=tuple(at(found.start()) for found in _TOKEN.finditer(text)),
        sentences=tuple(at(start) for start, _ in writer.lines),
        ends=tuple(at(end) for _, end in writer.lines),
        bits=bits,
    )


def recogniser(source: str) -> Callable[[str], bool] | None:
    """:func:`is_sentence` for the language of a built-in source; None for other sources."""
    return partial(is_sentence, source=source) if source in SOURCES else None


def is_sentence(text: str, source: str = "encyclopedia") -> bool:
    """Whether ``text`` is a sentence, heading or list item of the language.

    The recogniser runs the structure that the generator writes from, so it accepts all that is generated. It
    honours what binds within a sentence: a and an, he and she, a name said twice, years in order, a country
    and its people. A name is any name its syllables can make, so a misspelt name can be another legal name.
    """
    return grammar(source).accepts(text)


def kinds() -> tuple[str, ...]:
    """The kinds of article there are."""
    return tuple(kind.name for kind in grammar().kinds)


def vocabulary(source: str = "encyclopedia") -> frozenset[str]:
    """The closed word types, in lower case: every word the grammar can write that is not part of a name."""
    return grammar(source).vocabulary


def entropy_per_character(count: int = 300, seed: int = 0, source: str = "encyclopedia") -> Entropy:
    """The entropy of the grammar's text in bits per character, estimated on ``count`` articles.

    The ratio of summed -log2 p (over every choice of a derivation) to summed characters, with the standard
    error of that ratio over articles. A text that two derivations can write counts the bits of one, so this
    is an upper bound on the text's own entropy; titles are not counted.

    Raises:
        ValueError: ``count`` is below 2.
    """
    if count < 2:
        raise ValueError(f"count is {count}; an error needs at least 2 articles")
    written = [(piece.bits, len(piece.text)) for piece in articles(count, seed, source)]
    bits, characters = np.array(written, dtype=np.float64).T
    ratio = bits.sum() / characters.sum()
    residual = bits - ratio * characters
    error = residual.std(ddof=1) / math.sqrt(count) / characters.mean()
    return Entropy(float(ratio), float(error), count)


class _Writer:
    """Writes one article's plan, noting where lines begin and end."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.text = ""
        self.lines: list[tuple[int, int]] = []

    def plan(self, kind: Kind) -> None:
        heading: Group | None = None
        for block in kind.plans[self.derivation.draw.pick(kind.law)]:
            if block.heading:
                heading = block.heading
                continue
            groups = self._chosen(block)
            if not groups:
                continue
            if heading:  # a heading with nothing below it is not written
                self._line(heading, "\n\n")
                heading = None
            for position, group in enumerate(groups):
                self._line(group, ("\n" if block.listed else " ") if position else "\n\n")

    def finish(self, text: str) -> str:
        """Settle a and an, now that the words after them are known."""
        while (position := text.rfind(INDEFINITE)) >= 0:
            text = text[:position] + indefinite(text[position + 2 :]) + text[position + 1 :]
        return text

    def _chosen(self, block: Block) -> list[Group]:
        draw = self.derivation.draw
        return [item.groups[draw.pick(item.law)] for item in block.items if not item.optional or draw.chance(_OPTIONAL)]

    def _line(self, group: Group, before: str) -> None:
        self.derivation.used.clear()
        line = group.lines[self.derivation.draw.pick(group.law)]
        written = self.finish(line.node.write(self.derivation))
        if line.capital:
            written = written[0].upper() + written[1:]
        if self.text:
            self.text += before
        self.lines.append((len(self.text), len(self.text) + len(written)))
        self.text += written


def _byte_offsets(text: str) -> Callable[[int], int]:
    if text.isascii():
        return lambda position: position
    starts = [0, *accumulate(len(character.encode()) for character in text)]
    return starts.__getitem__
