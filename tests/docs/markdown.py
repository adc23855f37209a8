"""Markdown, as far as the documents need it: sections, fenced blocks, links."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADING = re.compile(r"^(#+) (.+)$")
FENCE = re.compile(r"^```(\S*)(?: (.*))?$")
LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """What stands between two fences: its language, what follows the language, and its lines."""

    language: str
    note: str
    text: str


def fenced(text: str) -> list[Block]:
    """All fenced blocks, in order.

    Raises:
        ValueError: a fence is not closed.
    """
    found, inside, lines = [], None, []
    for line in text.splitlines():
        fence = FENCE.match(line)
        if inside is None and fence:
            inside, lines = fence, []
        elif inside is not None and line == "```":
            found.append(Block(inside[1], inside[2] or "", "".join(f"{one}\n" for one in lines)))
            inside = None
        elif inside is not None:
            lines.append(line)
    if inside is not None:
        raise ValueError(f"the fence {inside[0]!r} is not closed")
    return found


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [block.text for block in fenced(text) if block.language == language]


def headings(text: str) -> list[str]:
    """Titles outside fences, in order."""
    return [match[2] for _, match in _headings(text)]


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its depth or above.

    Raises:
        ValueError: there is no such heading.
    """
    lines, found = text.splitlines(), _headings(text)
    for number, (at, match) in enumerate(found):
        if match[2] == title:
            after = (line for line, other in found[number + 1 :] if len(other[1]) <= len(match[1]))
            return "\n".join(lines[at + 1 : next(after, len(lines))])
    raise ValueError(f"there is no heading {title!r}")


def links(text: str) -> list[str]:
    """Where links outside fences lead."""
    return [target for line in _prose(text) for target in LINK.findall(line)]


def anchor(title: str) -> str:
    """What a link to a heading is called."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _prose(text: str) -> list[str]:
    """The lines, those of fenced blocks emptied."""
    inside, out = False, []
    for line in text.splitlines():
        fence = line.startswith("```")
        out.append("" if inside or fence else line)
        inside ^= fence
    return out


def _headings(text: str) -> list[tuple[int, re.Match[str]]]:
    return [(at, match) for at, line in enumerate(_prose(text)) if (match := HEADING.match(line))]
