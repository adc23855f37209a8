"""A run against the published one: which numbers differ by more than another seed would make them."""

from __future__ import annotations

from dataclasses import dataclass

from zonkey.results.measured import Metrics, rows

SEEDED = "seed*"  # files of the suite that trains with other seeds


class DifferenceError(RuntimeError):
    """Two runs differ by more than is allowed."""


@dataclass(frozen=True)
class Difference:
    """One number of two runs; None where a run lacks it."""

    name: str
    published: float | None
    yours: float | None
    allowed: float  # absolute

    @property
    def within(self) -> bool:
        """Both have it, and they are close enough."""
        if self.published is None or self.yours is None:
            return False
        return abs(self.yours - self.published) <= self.allowed + 1e-9


def differences(published: Metrics, yours: Metrics, share: float) -> list[Difference]:
    """All numbers of the files that both runs have, by name.

    Args:
        published: metrics by dotted name, those of other seeds among them where they were trained.
        yours: the same of another run.
        share: of the published number, allowed where seeds say nothing about it. Where they do, their range is allowed.

    Raises:
        ValueError: the runs have no file in common.
    """
    files = {_file(name) for name in published} & {_file(name) for name in yours}
    if not files:
        raise ValueError("the two runs have no metrics file in common; run `dvc repro`, or name other folders")
    spread = _spread(published)
    return [
        Difference(name, published.get(name), yours.get(name), _allowed(name, published, spread, share))
        for name in dict.fromkeys((*published, *yours))
        if _file(name) in files
    ]


def _file(name: str) -> str:
    return name.partition(".")[0]


def _allowed(name: str, published: Metrics, spread: dict[str, float], share: float) -> float:
    key = name.partition(".")[2]
    return spread[key] if key in spread else share * abs(published.get(name, 0.0))


def _spread(published: Metrics) -> dict[str, float]:
    """The range of every number over seeds, by its name within a file, where at least two seeds have it."""
    values: dict[str, list[float]] = {}
    for row in rows(published, SEEDED).values():
        for key, value in row.items():
            values.setdefault(key, []).append(value)
    return {key: max(found) - min(found) for key, found in values.items() if len(found) > 1}
