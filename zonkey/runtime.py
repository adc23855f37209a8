"""Seed, device, precision and threads: what the machine decides, chosen in one place."""

import contextlib
import ctypes
import logging
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from zonkey.config import RuntimeConfig

log = logging.getLogger(__name__)

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's names for mallopt
MOST = 2**31 - 1
OLD_MOST = 32 * 2**20  # bytes; older versions refuse more


@dataclass(frozen=True)
class Runtime:
    """Where and in which precision to compute."""

    device: torch.device
    dtype: torch.dtype

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Matrix products in :attr:`dtype`; nothing in float32."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            yield

    def generator(self, *seed: int) -> torch.Generator:
        """A generator for these numbers; different tuples give unrelated streams."""
        return generator(*seed, device=self.device)


def start(config: RuntimeConfig, rank: int = 0) -> Runtime:
    """Choose device and precision, set threads, and ask torch for deterministic algorithms.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("runtime.device is 'cuda' but torch sees no GPU; set it to 'auto' or 'cpu'")
    if name == "cpu":
        keep_memory()
    device = torch.device(name, rank) if name == "cuda" else torch.device(name)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # takes a tenth
    dtype = _dtype(config.precision, name)
    log.info("device %s, precision %s, %d threads", device, dtype, torch.get_num_threads())
    return Runtime(device, dtype)


def keep_memory() -> None:
    """Keep freed memory for the next tensor, where the C library is glibc.

    By default large blocks go back to the system when they are freed, and every page of the next one has to be
    cleared and mapped again: a tenth of a training step (docs/performance.md).
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        if not library.mallopt(MMAP_THRESHOLD, MOST):
            library.mallopt(MMAP_THRESHOLD, OLD_MOST)
        library.mallopt(TRIM_THRESHOLD, MOST)


def generator(*seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded from several numbers by hashing them."""
    mixed = 0xCBF29CE484222325
    for part in seed:
        for byte in int(part).to_bytes(8, "little", signed=True):
            mixed = ((mixed ^ byte) * 0x100000001B3) % 2**64
    return torch.Generator(device=device).manual_seed(mixed % 2**63)


def _dtype(precision: str, device: str) -> torch.dtype:
    if precision == "float32":
        return torch.float32
    if precision == "bfloat16":
        return torch.bfloat16
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if has_fast_bfloat16() else torch.float32


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies matrices in bfloat16 faster than in float32: with tiles (AMX), or by AMD's
    AVX512-BF16. Intel's AVX512-BF16 without tiles takes twice as long (docs/performance.md)."""
    if torch.cpu._is_amx_tile_supported():
        return True
    described = Path("/proc/cpuinfo")
    return (
        torch.cpu._is_avx512_bf16_supported()
        and described.is_file()
        and "AuthenticAMD" in described.read_text(encoding="utf-8", errors="replace")
    )
