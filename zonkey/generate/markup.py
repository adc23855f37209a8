"""Gaps written in a text: ``"The {gap:12} of France"`` (12 bytes) or ``"The {gap} of France"`` (free length)."""

import re
from dataclasses import dataclass

GAP = re.compile(r"\{gap(?::([^{}]*))?\}")
LONGEST_GAP = 4096


@dataclass(frozen=True)
class Gap:
    """A run of unknown bytes; ``length`` is None where the model chooses it."""

    length: int | None


def parse_gaps(text: str) -> tuple[str | Gap, ...]:
    """Known texts and gaps, in order; empty texts are left out.

    Raises:
        ValueError: there is no gap, or one is malformed.
    """
    parts: list[str | Gap] = []
    end = 0
    for match in GAP.finditer(text):
        parts += [text[end : match.start()], Gap(_length(match))]
        end = match.end()
    parts.append(text[end:])
    for part in parts:
        if isinstance(part, str) and "{gap" in part:
            at = text.index(part) + part.index("{gap")
            raise ValueError(f"malformed gap at character {at}: {text[at : at + 20]!r}; write {{gap}} or {{gap:12}}")
    if not any(isinstance(part, Gap) for part in parts):
        raise ValueError("the text has no gap; write {gap} or {gap:12} where text is missing")
    return tuple(part for part in parts if part)


def _length(match: re.Match[str]) -> int | None:
    digits = match.group(1)
    if digits is None:
        return None
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= LONGEST_GAP:
        raise ValueError(f"malformed gap {match.group(0)!r}: its length must be a number from 1 to {LONGEST_GAP}")
    return int(digits)
