"""The notation in which lexicon and kinds of article are written, and its compiler to nodes.

A template is text with ``{fact}`` (fixed for the article), ``<rule>`` (drawn afresh), ``[one|the other|]``
(an even choice), ``{a}`` (a or an), ``{3..40}``, ``{1.5..9.9}``, ``{10000..90000 by 500}`` (numbers) and
``{year 1850..1990}``; a leading ``^`` makes the first letter a capital. A file is made of entries that
begin in the first column, each with its indented lines:

    crops = wheat, barley, oats                    a list of words, the most frequent first
    ~onset = K, M, Th                              a list whose words may be repeated within a sentence
    open river_name, town_name                     rules that make names, not words of the vocabulary
    date: + indented templates                     a rule or a group of sentences, one template a line
    table lands: + indented rows, cells by |       parallel lists (France | French)
    fact name = <town_name>                        facts: text,
    fact length = number 12..900                   a number,
    fact closed = year founded + 5..60             a year after another,
    fact miles = length * 0.6214                   what follows from another number,
    fact age = died - born                         a difference,
    fact he = by gender: he | she                  agreement with a hidden choice,
    fact country = lands.1 by land                 and a table's column by a hidden choice

A kind of article also has a ``title`` and plans: a line a paragraph, naming groups of sentences
(``one|other`` is either, ``one?`` may be left out), ``= Heading`` before paragraphs, ``*`` before a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from zonkey.data.encyclopedia.draw import Law
from zonkey.data.encyclopedia.facts import AgreeingFact, DerivedFact, Fact, NumberFact, Selector, TextFact
from zonkey.data.encyclopedia.nodes import Choice, Figure, Indefinite, Literal, Name, Node, Sequence, Words


class GrammarError(ValueError):
    """A grammar file breaks the notation."""


@dataclass(frozen=True)
class Entry:
    """One entry of a grammar file: its first line and the indented lines below it."""

    head: str
    lines: tuple[str, ...]


def entries(text: str) -> Iterator[Entry]:
    """The entries of a grammar file; lines that begin with # are comments."""
    head, lines = None, []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            lines.append(line.strip())
            continue
        if head is not None:
            yield Entry(head, tuple(lines))
        head, lines = line.strip(), []
    if head is not None:
        yield Entry(head, tuple(lines))


@dataclass
class Scope:
    """Names that templates may use: rules (a kind's own, then the lexicon's), tables, facts."""

    parent: Scope | None = None
    sources: dict[str, Entry] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    tables: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    selectors: dict[str, Selector] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)  # rules being compiled, or compiled
    open: list[str] = field(default_factory=list)  # rules that make names; their words are not vocabulary

    def add(self, entry: Entry) -> None:
        """Take in an entry that is a list, a rule, a table or a fact."""
        head = entry.head
        if head.startswith("open "):
            self.open.extend(name.strip() for name in head[5:].split(","))
        elif head.startswith("table "):
            rows = [tuple(cell.strip() for cell in line.split("|")) for line in entry.lines]
            self.tables[head[6:].rstrip(": ")] = tuple(zip(*rows, strict=True))
        elif head.startswith("fact "):
            name, _, expression = head[5:].partition("=")
            self.facts[name.strip()] = self._fact(name.strip(), " ".join((expression.strip(), *entry.lines)))
        else:
            name = re.split(r"[=:]", head, maxsplit=1)[0].strip()
            if name.lstrip("~") in self.sources:
                raise GrammarError(f"rule {name!r} is defined twice")
            self.sources[name.lstrip("~")] = entry

    def rule(self, name: str) -> Node:
        """The node of a rule or list, here or in the parent scope."""
        if name not in self.nodes:
            entry = self.sources.get(name)
            if entry is None:
                if self.parent is None:
                    raise GrammarError(f"no rule {name!r}")
                return self.parent.rule(name)
            if name in self.pending:
                raise GrammarError(f"rule {name!r} refers to itself")
            self.pending.add(name)
            node = self._rule(name, entry)
            self.nodes[name] = Name(node) if name in self.open else node
        return self.nodes[name]

    def template(self, text: str) -> Node:
        """Compile one template."""
        node, end = self._alternatives(text, 0, "")
        if end != len(text):
            raise GrammarError(f"unbalanced brackets in {text!r}")
        return node

    def table(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The rows of a table, here or in what this one builds on; raises GrammarError where there is none."""
        if name in self.tables:
            return self.tables[name]
        if self.parent is None:
            raise GrammarError(f"no table {name!r}")
        return self.parent.table(name)

    def _rule(self, name: str, entry: Entry) -> Node:
        if "=" in entry.head and not entry.head.endswith(":"):
            listed = " ".join((entry.head.partition("=")[2].strip(), *entry.lines))
            words = tuple(word.strip() for word in listed.split(",") if word.strip())
            if len(set(words)) < len(words):
                twice = sorted({word for word in words if words.count(word) > 1})
                raise GrammarError(f"list {name!r} holds {', '.join(twice)} twice")
            return Words(name, words, again=entry.head.startswith("~"))
        options = tuple(self.template(line) for line in entry.lines)
        if not options:
            raise GrammarError(f"rule {name!r} is empty")
        return options[0] if len(options) == 1 else Choice(options, ranked=True)

    def _alternatives(self, text: str, position: int, closing: str) -> tuple[Node, int]:
        options: list[Node] = []
        parts: list[Node] = []
        while position < len(text) and text[position] != closing:
            mark = text[position]
            if mark == "[":
                node, position = self._alternatives(text, position + 1, "]")
                parts.append(node)
            elif mark == "<":
                end = text.index(">", position)
                parts.append(self.rule(text[position + 1 : end]))
                position = end + 1
            elif mark == "{":
                end = text.index("}", position)
                parts.append(self._slot(text[position + 1 : end]))
                position = end + 1
            elif mark == "|" and closing:
                options.append(_sequence(parts))
                parts, position = [], position + 1
            else:
                plain = _PLAIN.match(text, position)
                if not plain:
                    raise GrammarError(f"stray {mark!r} in {text!r}")
                parts.append(Literal(plain.group()))
                position = plain.end()
                if _ARTICLE.search(plain.group()) and text[position : position + 1] in ("<", "{"):
                    raise GrammarError(f"a or an before a slot in {text!r}; write {{a}}")
        options.append(_sequence(parts))
        node = options[0] if len(options) == 1 else Choice(tuple(options), ranked=False)
        return node, position + len(closing) if closing else position

    def _slot(self, slot: str) -> Node:
        if slot == "a":
            return Indefinite()
        if ".." in slot:
            return figure(slot)
        if slot not in self.facts:
            raise GrammarError(f"no fact {slot!r}; declare it above its use")
        return self.facts[slot]

    def _fact(self, name: str, expression: str) -> Fact:
        if name in self.facts:
            raise GrammarError(f"fact {name!r} is declared twice")
        if found := re.fullmatch(r"by (\w+): (.*)", expression):
            options = [self.template(option.strip()) for option in re.split(r" \| ", found[2])]
            return AgreeingFact(name, self._selector(found[1], len(options), False), tuple(options))
        if found := re.fullmatch(r"(\w+)\.(\d+) by (\w+)", expression):
            column = self.table(found[1])[int(found[2]) - 1]
            options = [self.template(cell) for cell in column]
            return AgreeingFact(name, self._selector(found[3], len(column), True), tuple(options))
        if found := re.fullmatch(r"(year|number) (?:(\w+) \+ )?([\d.]+\.\.[\d.]+.*)", expression):
            base: Any = self.facts[found[2]] if found[2] else None
            return NumberFact(name, figure(f"{found[1]} {found[3]}"), base)
        if found := re.fullmatch(r"(\w+) \* ([\d.]+)", expression):
            factor = float(found[2])
            return DerivedFact(name, Figure(0, 0), (self._number(found[1]),), lambda x: max(1, round(x * factor)))
        if found := re.fullmatch(r"(\w+) - (\w+)", expression):
            return DerivedFact(name, Figure(0, 0), tuple(self._number(n) for n in found.groups()), int.__sub__)
        return TextFact(name, self.template(expression))

    def _number(self, name: str) -> NumberFact:
        fact = self.facts[name]
        if not isinstance(fact, NumberFact):
            raise GrammarError(f"fact {name!r} is not a number")
        return fact

    def _selector(self, name: str, count: int, ranked: bool) -> Selector:
        selector = self.selectors.setdefault(name, Selector(f"by {name}", Law(count, ranked)))
        if len(selector.law.bits) != count:
            raise GrammarError(f"a fact by {name!r} has {count} options, another {len(selector.law.bits)}")
        return selector


_ARTICLE = re.compile(r"(?:^|\W)an? $", re.IGNORECASE)
_PLAIN = re.compile(r"[^\[\]<>{}|]+")


def figure(text: str) -> Figure:
    """Read ``3..40``, ``year 1850..1990``, ``number 1.5..9.9``, ``100..900 by 50``."""
    found = re.fullmatch(r"(year |number )?(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)(?: by (\d+))?", text)
    if not found:
        raise GrammarError(f"not a number: {text!r}")
    decimals = len(found[2].partition(".")[2])
    low, high = (round(float(part) * 10**decimals) for part in (found[2], found[3]))
    step = int(found[4] or 1)
    if (high - low) % step:
        raise GrammarError(f"{text!r}: the step does not lead from end to end")
    return Figure(low, high, step, decimals, plain=found[1] == "year ")


def _sequence(parts: list[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return Sequence(tuple(parts)) if parts else Literal("")
