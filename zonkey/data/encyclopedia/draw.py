"""Counted randomness: every choice the grammar makes goes through :class:`Draw`, which adds up its bits."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Collection
from itertools import accumulate


class Law:
    """A fixed distribution over ``count`` choices: uniform, or falling with rank as 1 / (rank + 3)."""

    def __init__(self, count: int, ranked: bool = False) -> None:
        weights = [1 / (rank + 3) if ranked else 1.0 for rank in range(count)]
        total = sum(weights)
        self.probabilities = [weight / total for weight in weights]
        self.cumulative = list(accumulate(self.probabilities))
        self.bits = [-math.log2(probability) for probability in self.probabilities]


class Draw:
    """A seeded source of choices; ``bits`` is the sum of -log2 p over all choices made so far."""

    def __init__(self, seed: int, index: int) -> None:
        self._random = random.Random(f"zonkey encyclopedia {seed} {index}")
        self.bits = 0.0

    def pick(self, law: Law, excluded: Collection[int] = ()) -> int:
        """One choice of ``law``, never one of ``excluded``; the others keep their proportions."""
        while True:
            choice = min(bisect_right(law.cumulative, self._random.random()), len(law.bits) - 1)
            if choice not in excluded:
                break
        self.bits += law.bits[choice]
        if excluded:
            self.bits += math.log2(1 - sum(law.probabilities[i] for i in excluded))
        return choice

    def below(self, count: int) -> int:
        """An integer of [0, count), uniform."""
        self.bits += math.log2(count)
        return self._random.randrange(count)

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        happened = self._random.random() < probability
        self.bits -= math.log2(probability if happened else 1 - probability)
        return happened
