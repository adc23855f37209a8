"""Rows of numbers as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for each row; a column for every name in any of them."""
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[label, *(cell(row.get(name, "")) for name in columns)] for label, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def cell(value: Any) -> str:
    """A number with three digits that say something, or the text itself."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
