"""A pytest plugin for nbval: what executed notebooks do not keep is not compared, and what it overlooks fails.

nbval takes a kernel that died for a slow one and waits, and passes a cell whose magic IPython does not know.
"""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

import pytest
from nbval.kernel import RunningKernel

LOOK = 1.0  # seconds between two looks at the kernel


def pytest_addoption(parser: pytest.Parser) -> None:
    """Figures are the same to the byte only where they were drawn: processors round differently."""
    parser.addoption("--nbval-figures", action="store_true", help="compare figures, too")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """The hook that nbval documents for what to leave out of the comparison: standard error is not kept."""
    if hasattr(collector, "skip_compare"):
        figures = ("image/png", "image/jpeg") if collector.config.getoption("--nbval-figures") else ()
        kept = tuple(kind for kind in collector.skip_compare if kind not in figures)
        collector.skip_compare = (*kept, "stderr")


def pytest_configure() -> None:
    """Look at the kernel, and at how a cell ended, while nbval waits for its reply."""
    RunningKernel.await_reply = _await_reply


def _await_reply(self: RunningKernel, msg_id: str, timeout: float | None = None) -> None:
    """As nbval's own.

    Raises:
        Empty: there is no reply in time.
        RuntimeError: the kernel died, gave the cell up, or did not know a magic.
    """
    began = time.monotonic()
    while True:
        try:
            reply: dict[str, Any] = self.get_message(stream="shell", timeout=LOOK)
        except Empty:
            if not self.is_alive():
                raise RuntimeError("the kernel died") from None
            if timeout is not None and time.monotonic() - began > timeout:
                raise
            continue
        if reply["parent_header"].get("msg_id") != msg_id:
            continue
        content = reply["content"]
        if content["status"] == "aborted":
            raise RuntimeError("the kernel gave up the cell")
        if content.get("ename") == "UsageError":  # other errors are outputs, too, which nbval sees
            raise RuntimeError(content["evalue"])
        return
