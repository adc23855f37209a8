"""Whether a target is reached, from the metrics alone, and the verdict on the claim behind it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from zonkey.results.measured import Metrics
from zonkey.results.schema import Target, Word

SIGNS = {"at least": "≥", "at most": "≤", "above": ">"}


class Status(enum.Enum):
    """What the metrics say."""

    REACHED = "reached"
    MISSED = "not reached"
    UNMEASURED = "not measured"


@dataclass(frozen=True)
class Outcome:
    """One target on one corpus."""

    target: Target
    corpus: str
    status: Status
    figure: str  # the number reached, or "not measured"
    bound: str  # with its sign
    word: Word | None
    elsewhere: bool = False  # measured on another model than the one that is published

    @property
    def verdict(self) -> str:
        """Reproduced, reproduced with a change, not, or not measured; and whether by another model."""
        if self.status is Status.UNMEASURED:
            return self.status.value
        said = "not" if self.status is Status.MISSED else "reproduced with a change" if self.word else "reproduced"
        return f"{said} (another model)" if self.elsewhere else said


def outcome(target: Target, corpus: str, metrics: Metrics, word: Word | None = None) -> Outcome:
    """Hold one target against the metrics of one corpus.

    Of several ``each`` the one farthest from its bound counts. A metric that is missing leaves it unmeasured, and
    ``word`` unsaid: it was written of another measurement.

    Raises:
        ValueError: ``word`` contradicts what the metrics say.
    """
    scored = [one for label in target.each or [""] if (one := _score(target, corpus, metrics, label))]
    if len(scored) < max(len(target.each), 1):
        status, figure = Status.UNMEASURED, Status.UNMEASURED.value
    else:
        worst = min(scored, key=lambda one: one.margin)
        status = Status.REACHED if all(one.holds for one in scored) else Status.MISSED
        figure = worst.figure
    if status is Status.UNMEASURED:
        word = None
    says = Status.REACHED if word and word.change is not None else Status.MISSED
    if word and says is not status:
        raise ValueError(f"verdict of {target.id} on {corpus} says {says.value}, but it is {status.value} ({figure})")
    return Outcome(target, corpus, status, figure, bound(target, corpus), word)


@dataclass(frozen=True)
class _Scored:
    margin: float  # how far on the right side of the bound
    holds: bool
    figure: str


def _score(target: Target, corpus: str, metrics: Metrics, label: str) -> _Scored | None:
    name = next((name for path in target.value if (name := path.replace("*", label)) in metrics), None)
    others = {name: metrics.get(path.replace("*", label)) for name, path in target.of.items()}
    known = {name: other for name, other in others.items() if other is not None}
    if name is None or len(known) < len(others):
        return None
    value, factor = metrics[name], target.corpora[corpus]
    limit, against = factor, ""
    if known:
        hardest = (min if target.compare == "at most" else max)(known, key=lambda other: known[other])
        limit = factor * known[hardest]
        against = f" against {number(known[hardest], target.percent)} ({hardest})"
    margin = limit - value if target.compare == "at most" else value - limit
    holds = margin > 0 if target.compare == "above" else margin >= 0
    figure = number(value, target.percent) + _interval(target, name, metrics) + against
    return _Scored(margin, holds, figure + (f" at {label}" if label else ""))


def _interval(target: Target, name: str, metrics: Metrics) -> str:
    """The bounds of the number that stands first in ``value``, where that is the one shown, and they were measured."""
    bounds = [metrics[path] for path in target.interval if path in metrics]
    if name != target.value[0] or len(bounds) < 2:
        return ""
    return " ({} to {})".format(*(number(one, target.percent) for one in bounds))


def bound(target: Target, corpus: str) -> str:
    """What a target asks for on a corpus, in words."""
    factor, sign = target.corpora[corpus], SIGNS[target.compare]
    if not target.of:
        return f"{sign} {number(factor, target.percent)}"
    return sign + (f" {factor:.0%} of" if factor != 1 else "") + f" {' and '.join(target.of)}"


def number(value: float, percent: bool = False) -> str:
    """For reading: a share as percent, a count as it is, anything else with as many digits as its size leaves."""
    if percent:
        return f"{100 * value:.1f}%"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
