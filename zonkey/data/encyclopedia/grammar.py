"""The whole grammar: the lexicon, the kinds of article with their plans, and the recogniser over both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from zonkey.data.encyclopedia.draw import Law
from zonkey.data.encyclopedia.language import Entry, GrammarError, Scope, entries
from zonkey.data.encyclopedia.nodes import GAP, Literal, Node, Sequence

_WORD = re.compile(rf"(?<![\w{GAP}'’-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w{GAP}-])")


@dataclass(frozen=True)
class Line:
    """A sentence, heading or item: its node, and whether its first letter is made a capital."""

    node: Node
    capital: bool
    fixed: tuple[str, ...]  # text that every form of it holds, in order

    def accepts(self, text: str) -> bool:
        """Whether ``text`` is a form of this line."""
        if self.capital:
            if not text[:1].isupper():
                return False
            text = text[0].lower() + text[1:]
        position = 0
        for part in self.fixed:  # a quick look, so that most lines are ruled out at once
            position = text.find(part, position)
            if position < 0:
                return False
            position += len(part)
        return any(end == len(text) for end, _ in self.node.match(text, 0, {}))


@dataclass(frozen=True)
class Group:
    """Lines that say the same fact in different words; one of them is drawn, the first the most often."""

    lines: tuple[Line, ...]
    law: Law


@dataclass(frozen=True)
class Item:
    """One place of a plan: one of several groups, sometimes left out if ``optional``."""

    groups: tuple[Group, ...]
    law: Law
    optional: bool


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading (with what it heads) or a list (its items on lines of their own)."""

    items: tuple[Item, ...]
    listed: bool = False
    heading: Group | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of article: its title and its plans."""

    name: str
    title: Node
    plans: tuple[tuple[Block, ...], ...]
    law: Law
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Grammar:
    """Everything that can be written."""

    kinds: tuple[Kind, ...]
    law: Law
    lines: tuple[Line, ...]  # of all kinds
    vocabulary: frozenset[str]

    def accepts(self, text: str) -> bool:
        """Whether ``text`` is a sentence, heading or list item that the grammar can write."""
        return any(line.accepts(text) for line in self.lines)


@cache
def grammar(source: str = "encyclopedia") -> Grammar:
    """A built-in grammar, compiled from the files beside this module, or (``encyclopedia-other``) from ``other/``."""
    folder = resources.files("zonkey.data.encyclopedia").joinpath(source.removeprefix("encyclopedia").lstrip("-"))
    lexicon = Scope()
    for path in sorted(folder.joinpath("lexicon").iterdir(), key=lambda file: file.name):
        if path.name.endswith(".txt"):
            for entry in entries(path.read_text(encoding="utf-8")):
                lexicon.add(entry)
    files = sorted(folder.joinpath("kinds").iterdir(), key=lambda file: file.name)
    kinds = [
        _kind(file.name.removesuffix(".txt"), file.read_text(encoding="utf-8"), lexicon)
        for file in files
        if file.name.endswith(".txt")
    ]
    lines = tuple(line for kind in kinds for line in kind.lines)
    closed = {word for line in lines for word in _words(line.node)}
    return Grammar(tuple(kinds), Law(len(kinds)), lines, frozenset(closed))


def _words(node: Node) -> Iterator[str]:
    for literal in node.literals():
        yield from (word.lower() for word in _WORD.findall(literal))


def _kind(name: str, text: str, lexicon: Scope) -> Kind:
    scope = Scope(parent=lexicon)
    plans: list[tuple[str, ...]] = []
    title = ""
    facts = []
    for entry in entries(text):
        if entry.head.startswith("fact "):
            facts.append(entry)
        elif entry.head == "plan":
            plans.append(entry.lines)
        elif entry.head.startswith("title "):
            title = entry.head[6:]
        else:
            scope.add(entry)
    try:
        for entry in facts:  # they may use rules that stand below them
            scope.add(entry)
        groups: dict[str, Group] = {}
        compiled = tuple(_plan(lines, scope, groups) for lines in plans)
        node = scope.template(title)
    except (GrammarError, ValueError) as error:
        raise GrammarError(f"kind {name!r}: {error}") from error
    lines = tuple(line for group in groups.values() for line in group.lines)
    return Kind(name, node, compiled, Law(len(compiled), ranked=True), lines)


def _plan(lines: tuple[str, ...], scope: Scope, groups: dict[str, Group]) -> tuple[Block, ...]:
    blocks = []
    for line in lines:
        if line.startswith("="):
            heading = line[1:].strip()
            if heading not in groups:
                groups[heading] = _group(Entry(heading, (heading,)), scope)
            blocks.append(Block((), heading=groups[heading]))
            continue
        items = []
        for word in line.removeprefix("*").split():
            names = word.rstrip("?").split("|")
            for name in names:
                if name not in groups:
                    if name not in scope.sources:
                        raise GrammarError(f"a plan names the group {name!r}, which is not defined")
                    groups[name] = _group(scope.sources[name], scope)
            options = tuple(groups[name] for name in names)
            items.append(Item(options, Law(len(options)), word.endswith("?")))
        blocks.append(Block(tuple(items), listed=line.startswith("*")))
    return tuple(blocks)


def _group(entry: Entry, scope: Scope) -> Group:
    lines = tuple(_line(text, scope) for text in entry.lines)
    return Group(lines, Law(len(lines), ranked=True))


def _line(text: str, scope: Scope) -> Line:
    node = scope.template(text.removeprefix("^"))
    parts = node.parts if isinstance(node, Sequence) else (node,)
    fixed = tuple(part.text for part in parts if isinstance(part, Literal))
    return Line(node, text.startswith("^"), fixed)
