"""What the machine decides: precision, and memory that is kept for the next step."""

from __future__ import annotations

import platform
import resource
import timeit
from pathlib import Path

import pytest
import torch

from zonkey.config import RuntimeConfig
from zonkey.runtime import has_fast_bfloat16, keep_memory, start

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


@pytest.mark.parametrize(
    ("tiles", "units", "maker", "fast"),
    [
        (True, True, "GenuineIntel", True),
        (False, True, "AuthenticAMD", True),
        (False, True, "GenuineIntel", False),
        (False, False, "AuthenticAMD", False),
    ],
)
def test_half_precision_is_chosen_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, tiles: bool, units: bool, maker: str, fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: units)
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    monkeypatch.setattr(Path, "read_text", lambda path, **options: f"vendor_id\t: {maker}\n")
    assert has_fast_bfloat16() == fast
    config = RuntimeConfig(device="cpu", precision="auto", threads=0, recompute=False)
    assert start(config).dtype == (torch.bfloat16 if fast else torch.float32)


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_a_precision_that_is_asked_for_is_taken(asked: str) -> None:
    config = RuntimeConfig(device="cpu", precision=asked, threads=0, recompute=False)
    assert start(config).dtype == getattr(torch, asked)


def test_half_precision_is_not_slower_where_it_is_chosen() -> None:
    """Within a factor of 1.5, on this processor."""
    other, mine = (torch.randn(1024, 1024).to(kind) for kind in (torch.float32, torch.bfloat16))
    if has_fast_bfloat16():
        assert min(timeit.repeat(lambda: mine @ mine, number=3)) < 1.5 * min(
            timeit.repeat(lambda: other @ other, number=3)
        )
