"""Texts that generated ones are held against: held-out pieces as long as they are, and the same out of order."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from zonkey.evaluate.segmentation import space_starts

SPACE = re.compile(r"(\s+)")


def pieces(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[str]:
    """For each length, a piece of a text of about as many bytes, from the space before a word to the end of a word.

    A text shorter than a piece should be is taken whole. Generated texts begin and end where the model lets them,
    which is where words do; pieces cut anywhere would be harder to predict and hold words that do not exist.

    Raises:
        ValueError: there is no text.
    """
    if not any(texts):
        raise ValueError("give at least one text to cut pieces from")
    draw = random.Random(f"pieces/{seed}")
    found = []
    for length in lengths:
        fitting = [text for text in texts if len(text.encode()) >= length] or [max(texts, key=len)]
        found.append(_piece(draw.choice(fitting), length, draw))
    return found


def _piece(text: str, length: int, draw: random.Random) -> str:
    data = text.encode()
    if len(data) <= length:
        return text
    ends = sorted(space_starts(text) | {0, len(data)})
    start = draw.choice([at for at in ends if at + length <= len(data)])
    return data[start : min(ends, key=lambda at: (at <= start, abs(at - start - length)))].decode()


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """The same texts with the words of each in another order; what is between words stays."""
    draw = random.Random(f"shuffled/{seed}")
    found = []
    for text in texts:
        parts = SPACE.split(text)  # words and what is between them, in turn
        words = [word for word in parts[::2] if word]
        draw.shuffle(words)
        rest = iter(words)
        parts[::2] = [next(rest) if word else "" for word in parts[::2]]
        found.append("".join(parts))
    return found
