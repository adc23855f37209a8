"""Throttled progress in the log: count, rate and, where the total is known, the time left."""

from __future__ import annotations

import logging
import time

_log = logging.getLogger(__name__)


class Progress:
    """Logs at most one line every ``every`` seconds."""

    def __init__(self, task: str, unit: str, total: int | None, every: float = 5.0) -> None:
        self.task, self.unit, self.total, self.every = task, unit, total, every
        self.start = self.last = time.monotonic()

    def update(self, count: int) -> None:
        """Say that ``count`` units are done."""
        now = time.monotonic()
        if now - self.last < self.every:
            return
        self.last = now
        rate = count / (now - self.start)
        left = f", {(self.total - count) / rate:.0f} s left" if self.total else ""
        _log.info("%s: %d %s, %.0f a second%s", self.task, count, self.unit, rate, left)
