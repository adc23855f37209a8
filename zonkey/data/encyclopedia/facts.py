"""Facts: what is fixed once for an article (a name, a year, a country) and may be said several times.

A fact is drawn when it is first needed, so that the entropy counts only what the text says, or what a fact
in it hangs on. The recogniser binds a fact where it first stands in a sentence and holds it to that value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zonkey.data.encyclopedia.draw import Law
from zonkey.data.encyclopedia.nodes import Bound, Derivation, Ends, Figure, Node, Words


@dataclass(frozen=True)
class TextFact:
    """A fact that is text: what ``node`` writes."""

    name: str
    node: Node

    def write(self, derivation: Derivation) -> str:
        if self.name not in derivation.values:
            derivation.values[self.name] = self.node.write(derivation)
        text = derivation.values[self.name]
        if isinstance(self.node, Words) and text in self.node.index:
            derivation.used.setdefault(self.node.label, set()).add(self.node.index[text])
        return text

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        if self.name in bound:
            known = bound[self.name]
            if text.startswith(known, position):
                yield position + len(known), bound
            return
        # the fact may have been drawn in an earlier sentence, so words used in this one do not bar it
        facts = {key: value for key, value in bound.items() if isinstance(key, str)}
        for end, inner in self.node.match(text, position, facts):
            used = {key: value for key, value in bound.items() if not isinstance(key, str)}
            fixed = {key: value for key, value in inner.items() if isinstance(key, str)}
            if isinstance(self.node, Words):
                key = ("used", self.node.label)
                used[key] = used.get(key, frozenset()) | {self.node.index[text[position:end]]}
            yield end, {**used, **fixed, self.name: text[position:end]}

    def literals(self) -> Iterator[str]:
        return self.node.literals()


@dataclass(frozen=True)
class Selector:
    """A hidden choice that several facts agree with (gender, country, family of animals).

    Selectors of one ``family`` (``land``, ``land2``) never take the same value.
    """

    name: str
    law: Law

    @property
    def family(self) -> str:
        """Its name without a number."""
        return self.name.rstrip("0123456789")

    def value(self, derivation: Derivation) -> int:
        """The choice in this article, drawn when it is first asked for."""
        if self.name not in derivation.values:
            others = [value for key, value in derivation.values.items() if key.rstrip("0123456789") == self.family]
            derivation.values[self.name] = derivation.draw.pick(self.law, others)
        return derivation.values[self.name]

    def bind(self, value: int, bound: Bound) -> Bound | None:
        """``bound`` with this choice fixed, or None where it contradicts what is bound."""
        if self.name in bound:
            return bound if bound[self.name] == value else None
        for key, other in bound.items():
            if isinstance(key, str) and key.rstrip("0123456789") == self.family and other == value:
                return None
        return {**bound, self.name: value}


@dataclass(frozen=True)
class AgreeingFact:
    """The option of a selector's value: he or she, France or Spain."""

    name: str
    selector: Selector
    options: tuple[Node, ...]

    def write(self, derivation: Derivation) -> str:
        choice = self.selector.value(derivation)
        if self.name not in derivation.values:
            derivation.values[self.name] = self.options[choice].write(derivation)
        return derivation.values[self.name]

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        if self.name in bound:
            known = bound[self.name]
            if text.startswith(known, position):
                yield position + len(known), bound
            return
        fixed = bound.get(self.selector.name)
        for choice in range(len(self.options)) if fixed is None else (fixed,):
            chosen = self.selector.bind(choice, bound)
            if chosen is not None:
                option = TextFact(self.name, self.options[choice])
                yield from option.match(text, position, chosen)

    def literals(self) -> Iterator[str]:
        for option in self.options:
            yield from option.literals()


@dataclass(frozen=True)
class NumberFact:
    """A fact that is a number: of ``figure``, counted from ``base`` where there is one (years in order)."""

    name: str
    figure: Figure
    base: NumberFact | None = None

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and highest value possible."""
        low, high = self.base.span if self.base else (0, 0)
        return low + self.figure.low, high + self.figure.high

    def value(self, derivation: Derivation) -> int:
        """The number in this article, drawn when it is first asked for."""
        if self.name not in derivation.values:
            origin = self.base.value(derivation) if self.base else 0
            derivation.values[self.name] = origin + self.figure.value(derivation.draw)
        return derivation.values[self.name]

    def fits(self, value: int, bound: Bound) -> bool:
        """Whether it can be this number, given what is bound."""
        low, high = self.span
        if self.base and self.base.name in bound:
            origin = bound[self.base.name]
            low, high = origin + self.figure.low, origin + self.figure.high
        return low <= value <= high and (self.base is not None or (value - low) % self.figure.step == 0)

    def write(self, derivation: Derivation) -> str:
        return self.figure.show(self.value(derivation))

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        found = self.figure.read(text, position)
        if found and self.name in bound:
            if bound[self.name] == found[0]:
                yield found[1], bound
        elif found and self.fits(found[0], bound):
            yield found[1], {**bound, self.name: found[0]}

    def literals(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True)
class DerivedFact:
    """A number that follows from others (miles from kilometres, an age from two years)."""

    name: str
    figure: Figure  # how it is written
    sources: tuple[NumberFact, ...]
    function: Callable[..., int]

    def write(self, derivation: Derivation) -> str:
        return self.figure.show(self.function(*[source.value(derivation) for source in self.sources]))

    def match(self, text: str, position: int, bound: Bound) -> Ends:
        found = self.figure.read(text, position)
        if not found:
            return
        known = [bound.get(source.name) for source in self.sources]
        if None not in known and self.function(*known) != found[0]:
            return
        yield found[1], bound

    def literals(self) -> Iterator[str]:
        return iter(())


Fact = TextFact | AgreeingFact | NumberFact | DerivedFact
