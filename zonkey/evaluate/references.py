"""Texts that generated ones are held against: held-out pieces as long as they are, the same out of order, letters."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence

from zonkey.data import Corpus
from zonkey.evaluate.segmentation import space_starts

SPACE = re.compile(r"(\s+)")


def heldout(corpus: Corpus, skip: int = 0, count: int | None = None) -> list[str]:
    """Documents of a split after the first ``skip``, on which choices were made; ``count`` of them, or all.

    Raises:
        ValueError: there are no more than ``skip``.
    """
    last = len(corpus) if count is None else min(skip + count, len(corpus))
    if skip >= last:
        raise ValueError(
            f"the {corpus.split} split has {len(corpus)} documents, and {skip} are skipped: nothing is left to measure"
            " on; lower suites.skip, or hold out more (data.test)"
        )
    return [corpus.text(index) for index in range(skip, last)]


def pieces(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[str]:
    """For each length, a piece of a text of about as many bytes, from the space before a word to the end of a word.

    A text shorter than a piece should be is taken whole, and no text is taken again while there are others that fit.
    Generated texts begin and end where the model lets them, which is where words do; pieces cut anywhere would be
    harder to predict and hold words that do not exist.

    Raises:
        ValueError: there is no text.
    """
    if not any(texts):
        raise ValueError("give at least one text to cut pieces from")
    draw = random.Random(f"pieces/{seed}")
    sizes = [len(text.encode()) for text in texts]
    longest = max(range(len(texts)), key=sizes.__getitem__)
    unused, found = set(range(len(texts))), []
    for length in lengths:
        fitting = [at for at, size in enumerate(sizes) if size >= length] or [longest]
        at = draw.choice([one for one in fitting if one in unused] or fitting)
        unused.discard(at)
        found.append(_piece(texts[at], length, draw))
    return found


def inner_words(text: str) -> str:
    """A text without its first and last word, which may be cut where it begins and ends anywhere."""
    starts = sorted(found.start() for found in SPACE.finditer(text))
    return text[starts[0] : starts[-1]] if starts else ""


def random_letters(texts: Sequence[str], seed: int) -> list[str]:
    """The same texts with every letter and digit another: what share of words as long exists by chance."""
    draw = random.Random(f"letters/{seed}")
    return [re.sub(r"\w", lambda _: draw.choice(string.ascii_lowercase), text) for text in texts]


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
