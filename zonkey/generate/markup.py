"""Gaps written in a text: ``"The {gap:12} of France"`` (12 bytes) or ``"The {gap} of France"`` (free length)."""

import re
from dataclasses import dataclass

GAP = re.compile(r"\{gap(?::([^{}]*))?\}")
LONGEST_GAP = 4096
LONGEST_SHOWN = 40  # characters of a malformed gap in an error


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
        parts += [_known(text, end, match.start()), Gap(_length(match))]
        end = match.end()
    parts.append(_known(text, end, len(text)))
    if not any(isinstance(part, Gap) for part in parts):
        raise ValueError("the text has no gap; write {gap} or {gap:12} where text is missing")
    return tuple(part for part in parts if part)


def _known(text: str, start: int, end: int) -> str:
    at = text.find("{gap", start, end)
    if at >= 0:
        raise ValueError(f"malformed gap at character {at}: {text[at : at + 20]!r}; write {{gap}} or {{gap:12}}")
    return text[start:end]


def _length(match: re.Match[str]) -> int | None:
    digits = match.group(1)
    if digits is None:
        return None
    plain = digits.isascii() and digits.isdigit()
    count = digits.lstrip("0")
    if not plain or len(count) > len(str(LONGEST_GAP)) or not 1 <= int(count or 0) <= LONGEST_GAP:
        shown = match.group(0) if len(digits) <= LONGEST_SHOWN else f"{match.group(0)[:LONGEST_SHOWN]}..."
        raise ValueError(f"malformed gap {shown!r}: its length must be a number from 1 to {LONGEST_GAP}")
    return int(count)
