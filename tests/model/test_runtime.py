"""What the machine decides: memory that is kept for the next step."""

from __future__ import annotations

import platform
import resource

import pytest
import torch

from zonkey.runtime import keep_memory

MEGABYTES = 96


def faults() -> int:
    """Pages that the system had to map for one large tensor that is made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(MEGABYTES * 2**20 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such knobs")
def test_memory_that_was_freed_is_used_again() -> None:
    """Pages may be of 4 kB or of 2 MB: either way none is mapped for the second tensor."""
    keep_memory()
    first = faults()
    assert min(faults() for _ in range(10)) < MEGABYTES // 4, f"as many pages as at first ({first})"
