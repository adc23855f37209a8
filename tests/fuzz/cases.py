"""How many cases every property gets: 200 that are always the same; or, with the profile ``long`` (``make fuzz``),
10,000 new ones, or as many as ``FUZZ_CASES`` says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("fuzz", max_examples=200, deadline=None, derandomize=True, suppress_health_check=SLOW)
LONG = int(os.environ.get("FUZZ_CASES", "10000"))
settings.register_profile("long", max_examples=LONG, deadline=None, print_blob=True, suppress_health_check=SLOW)

# A decorator, and not the profile that is loaded: other tests in the same run keep theirs.
CASES = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "fuzz"))


def one_sentence(error: BaseException, *names: str) -> str:
    """The words of a refusal, which are one line of some length, name what they should, and are no bare message."""
    words = str(error)
    assert words and "\n" not in words, repr(words)
    assert len(words) < 1000, f"{len(words)} characters: {words[:200]!r}"
    assert all(name in words for name in names), words
    return words
