"""The grammar's data structure: each node can be written (sampled) and matched (recognised).

``write(derivation)`` returns text, drawing through :class:`~zonkey.data.encyclopedia.draw.Draw` only.
``match(text, position, bound)`` yields every ``(end, bound)`` at which the node can end, where ``bound``
maps what has been fixed within the sentence (facts, words used) to its value; it is never changed in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from zonkey.data.encyclopedia.draw import Draw, Law

Bound = dict[Any, Any]
Ends = Iterator[tuple[int, Bound]]

INDEFINITE = "\x01"  # stands for a or an until the sentence is whole, when the next word is known
GAP = "\0"  # among literals: something written stands here
_CONSONANT = re.compile(r"(?:uni[tovqfcl]|us[eau]|uto|eu|one\b|once\b|ur[au])", re.IGNORECASE)
_VOWEL = re.compile(r"(?:[aeiouáàâäåæéèêëíîïóôöøúAEIOUÁÀÂÄÅÆÉÈÊËÍÎÏÓÔÖØ]|hour|honou?r|honest|heir|8|1[18](?!\d))")


def indefinite(following: str) -> str:
    """The indefinite article, ``a`` or ``an``, in front of ``following``."""
    return "an" if _VOWEL.match(following) and not _CONSONANT.match(following) else "a"


@dataclass
class Derivation:
    """What has been drawn so far: the article's facts, and the words used in the present sentence."""

    draw: Draw
    values: dict[str, Any] = field(default_factory=dict)
    used: dict[str, set[int]] = field(default_factory=dict)


@runtime_checkable
class Node(Protocol):
    """A part of a sentence."""

    def write(self, derivation: Derivation) -> str:
        """Draw it."""

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        """Every place where it may end if it begins at ``position``, with what is bound then."""

    def literals(self) -> Iterator[str]:
        """All fixed text in it."""


@dataclass(frozen=True)
class Literal:
    """Fixed text."""

    text: str

    def write(self, derivation: Derivation) -> str:
        return self.text

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        if text.startswith(self.text, position):
            yield position + len(self.text), bound

    def literals(self) -> Iterator[str]:
        yield self.text


@dataclass(frozen=True)
class Indefinite:
    """``a`` or ``an``, by the sound of what follows."""

    def write(self, derivation: Derivation) -> str:
        return INDEFINITE

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        for article in ("an", "a"):
            end = position + len(article)
            stands = text[position:end].lower() == article and text[end : end + 1] == " "
            if stands and indefinite(text[end + 1 :]) == article:
                yield end, bound

    def literals(self) -> Iterator[str]:
        yield from ("a", "an")


@dataclass(frozen=True)
class Sequence:
    """Parts in order."""

    parts: tuple[Node, ...]

    def write(self, derivation: Derivation) -> str:
        return "".join([part.write(derivation) for part in self.parts])

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        return self._match(0, text, position, bound)

    def _match(self, index: int, text: str, position: int, bound: Bound) -> Ends:
        if index == len(self.parts):
            yield position, bound
            return
        for end, inner in self.parts[index].match(text, position, bound):
            yield from self._match(index + 1, text, end, inner)

    def literals(self) -> Iterator[str]:
        yield "".join(part.text if isinstance(part, Literal) else GAP for part in self.parts)
        for part in self.parts:
            if not isinstance(part, Literal):
                yield from part.literals()


@dataclass(frozen=True)
class Name:
    """An open vocabulary: its parts are no words."""

    node: Node

    def write(self, derivation: Derivation) -> str:
        return self.node.write(derivation)

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        return self.node.match(text, position, bound)

    def literals(self) -> Iterator[str]:
        return iter(())


class Choice:
    """One of several nodes."""

    def __init__(self, options: tuple[Node, ...], ranked: bool) -> None:
        self.options = options
        self.law = Law(len(options), ranked)

    def write(self, derivation: Derivation) -> str:
        return self.options[derivation.draw.pick(self.law)].write(derivation)

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        for option in self.options:
            yield from option.match(text, position, bound)

    def literals(self) -> Iterator[str]:
        for option in self.options:
            yield from option.literals()


class Words:
    """One of a list of words, the first the most frequent.

    Within a sentence no word of a list comes twice, unless ``again`` allows it (syllables of names).
    """

    def __init__(self, label: str, words: tuple[str, ...], again: bool = False) -> None:
        self.label = label
        self.again = again
        self.words = words
        self.law = Law(len(words), ranked=True)
        self.index = {word: i for i, word in enumerate(words)}
        self.lengths = sorted({len(word) for word in words}, reverse=True)

    def write(self, derivation: Derivation) -> str:
        if self.again:
            return self.words[derivation.draw.pick(self.law)]
        used = derivation.used.setdefault(self.label, set())
        choice = derivation.draw.pick(self.law, used)
        used.add(choice)
        return self.words[choice]

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        used = bound.get(("used", self.label), frozenset())
        for length in self.lengths:
            choice = self.index.get(text[position : position + length])
            if choice is None or choice in used:
                continue
            if self.again:
                yield position + length, bound
            else:
                yield position + length, {**bound, ("used", self.label): used | {choice}}

    def literals(self) -> Iterator[str]:
        yield from self.words


@dataclass(frozen=True)
class Figure:
    """A number: ``low``, ``low + step``, ..., ``high``, in units of 10 ** -``decimals``.

    It is written with commas between thousands unless ``plain``.
    """

    low: int
    high: int
    step: int = 1
    decimals: int = 0
    plain: bool = False

    def value(self, draw: Draw) -> int:
        """Draw one."""
        return self.low + self.step * draw.below((self.high - self.low) // self.step + 1)

    def show(self, value: int) -> str:
        """As it is written."""
        if self.decimals:
            return f"{value / 10**self.decimals:.{self.decimals}f}"
        return str(value) if self.plain else f"{value:,}"

    def read(self, text: str, position: int) -> tuple[int, int] | None:
        """The number at ``position`` and where it ends, if it is written as :meth:`show` writes it."""
        found = _FIGURE.match(text, position)
        if not found:
            return None
        value = int(re.sub(r"\D", "", found.group()))
        return (value, found.end()) if self.show(value) == found.group() else None

    def write(self, derivation: Derivation) -> str:
        return self.show(self.value(derivation.draw))

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        found = self.read(text, position)
        if found and self.low <= found[0] <= self.high and (found[0] - self.low) % self.step == 0:
            yield found[1], bound

    def literals(self) -> Iterator[str]:
        return iter(())


_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?")
