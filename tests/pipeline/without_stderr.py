"""A pytest plugin for nbval: standard error is not kept in executed notebooks, so it is not compared."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """The hook that nbval documents for what to leave out of the comparison."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
