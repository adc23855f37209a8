"""Tables of metrics in Markdown, and a sentence that reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zonkey.results.measured import Metrics, rows
from zonkey.results.schema import Table
from zonkey.results.verdicts import number

MISSING = "–"


@dataclass(frozen=True)
class Filled:
    """A table with its numbers."""

    heads: tuple[str, ...]  # of the columns after the first
    rows: dict[str, tuple[float | None, ...]]  # by what the first column says

    def column(self, head: str) -> dict[str, float]:
        """The numbers of one column by row, where there is one."""
        at = self.heads.index(head)
        return {name: value for name, values in self.rows.items() if (value := values[at]) is not None}


def fill(table: Table, metrics: Metrics) -> Filled:
    """The numbers of a table; no row where nothing was measured. With ``seeds``: see :func:`spread`."""
    every = {label: row for pattern in table.rows for label, row in rows(metrics, pattern).items()}
    found = {
        table.names.get(label, plain(label)): tuple(row.get(path) for path in table.columns.values())
        for label, row in sorted(every.items(), key=lambda item: _natural(item[0]))
    }
    kept = {label: row for label, row in found.items() if any(value is not None for value in row)}
    filled = Filled(tuple(table.columns), kept)
    return spread(filled) if table.seeds else filled


def spread(filled: Filled) -> Filled:
    """Mean, least and most of every column over the rows, and of how many; the columns become rows."""
    columns = {head: list(filled.column(head).values()) for head in filled.heads}
    return Filled(
        ("mean", "least", "most", "seeds"),
        {
            head: (sum(values) / len(values), min(values), max(values), len(values))
            for head, values in columns.items()
            if values
        },
    )


def markdown(table: Table, filled: Filled) -> list[str]:
    """The lines of the table."""
    lines = [_line([table.first, *filled.heads]), "|---|" + "---:|" * len(filled.heads)]
    for label, values in filled.rows.items():
        cells = [_cell(value, f"{label}{head}") for head, value in zip(filled.heads, values, strict=True)]
        lines.append(_line([label.removesuffix(" %"), *cells]))
    lines[0] = lines[0].replace(" % |", " |")
    return lines


def reading(table: Table, filled: Filled) -> str:
    """What the numbers say, in a clause for each column to read, then the table's note."""
    if table.seeds:
        said = [
            f"{head.removesuffix(' %')} lies between {_cell(least, head)} and {_cell(most, head)}"
            for head, (_, least, most, _) in filled.rows.items()
        ]
    else:
        said = [describe(head, filled.column(head), table.trend) for head in table.read if filled.column(head)]
    return " ".join(part for part in ("; ".join(said) + "." if said else "", table.note) if part)


def describe(head: str, column: Mapping[str, float], trend: bool = False) -> str:
    """A clause on one column: its first and last number (``trend``), or its greatest and least; not of an empty one.

    A ``head`` that ends with % is of shares, which are shown as percent.
    """
    name = head.removesuffix(" %")
    labels: Sequence[str] = list(column) if trend else sorted(column, key=lambda label: -column[label])
    first, last = labels[0], labels[-1]
    one, other = _cell(column[first], head), _cell(column[last], head)
    if len(set(column.values())) == 1:
        return f"{name} is {one} for {' and '.join(labels)}"
    if trend:
        return f"{name} goes from {one} ({first}) to {other} ({last})"
    return f"{name} is highest for {first} ({one}) and lowest for {last} ({other})"


def plain(label: str) -> str:
    """``level0_words`` as people write it."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", label).replace("_", " ")


def _cell(value: float | None, head: str) -> str:
    return MISSING if value is None else number(value, "%" in head and not head.endswith("seeds"))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _natural(label: str) -> list[tuple[float, str]]:
    """Numbers in a label sort as numbers."""
    parts = re.findall(r"\d+(?:\.\d+)?|\D+", label)
    return [(float(part), "") if part[:1].isdigit() else (-1.0, part) for part in parts]
