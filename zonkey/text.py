"""Text as bytes, and what levels make of it: compressed segments, and where they begin.

Shapes: B documents, N bytes, M segments of a document, E = C x D.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

BYTES = 256  # the alphabet; padding is no member of it


@dataclass(frozen=True)
class Latents:
    """Compressed segments of documents, in order, at one level."""

    level: int
    vectors: Float[Tensor, "B M E"]
    lengths: Int[Tensor, " B"]

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class LevelSegmentation:
    """Where one level cuts a text."""

    starts: tuple[int, ...]  # byte offset of every segment
    probabilities: tuple[float, ...]  # begin probability of every position of this level
    offsets: tuple[int, ...]  # byte offset of every position of this level


@dataclass(frozen=True)
class Segmentation:
    """Where all levels cut a text."""

    text: str
    levels: tuple[LevelSegmentation, ...]


def to_tokens(texts: list[str], limit: int) -> tuple[Int[Tensor, "B N"], Int[Tensor, " B"]]:
    """UTF-8 bytes of texts, zeros after the end, and lengths.

    Raises:
        ValueError: no text, one shorter than 2 bytes or longer than ``limit`` bytes, or half a character in one.
    """
    if isinstance(texts, str) or not texts:
        raise ValueError("give a list of at least one text")
    rows = [_encoded(number, text) for number, text in enumerate(texts)]
    for number, row in enumerate(rows):
        if not 2 <= len(row) <= limit:
            raise ValueError(f"text {number} has {len(row)} bytes; this model takes 2 to {limit}")
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for at, row in enumerate(rows):
        tokens[at, : len(row)] = torch.frombuffer(bytearray(row), dtype=torch.uint8).long()
    return tokens, lengths


def _encoded(number: int, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text {number} has half a character at {error.start} ({text[error.start]!r}); give text that was UTF-8"
        ) from None
