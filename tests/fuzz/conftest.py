"""Counts the cases that each property ran: it fails with fewer than it was to get, and the counts are shown."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fuzz.cases import CASES
from tests.model.conftest import _one_thread, unchecked

__all__ = ["_one_thread", "unchecked"]

RAN: Counter[str] = Counter()
counted: set[str] = set()


def _name(item: pytest.Item) -> str:
    return f"{item.path.stem}.{getattr(item, 'originalname', item.name)}"


def _counting(test: Callable[..., None], name: str) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        test(*args, **kwargs)
        RAN[name] += 1  # neither a case that failed nor one that was thrown away

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Only for the tests of this folder: elsewhere the hooks of its conftest are not called."""
    handle, name = getattr(getattr(item, "obj", None), "hypothesis", None), _name(item)
    if handle is None:
        return (yield)
    if name not in counted:
        counted.add(name)
        handle.inner_test = _counting(handle.inner_test, name)
    before = RAN[name]
    done = yield
    assert RAN[name] - before >= CASES.max_examples, f"{RAN[name] - before} cases instead of {CASES.max_examples}"
    return done


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The number of cases of every property."""
    terminalreporter.section("cases of every property")
    for name, cases in sorted(RAN.items()):
        terminalreporter.write_line(f"{cases:7,}  {name}")
    terminalreporter.write_line(f"{sum(RAN.values()):7,}  in all")
