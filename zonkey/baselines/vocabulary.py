"""What a language model reads text as: bytes, or byte-pair tokens. Any bytes go in, and the same come out.

Shapes: T tokens of a text, V entries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import BpeTrainer

BYTES = 256
FILE = "tokenizer.json"
# The tokenizer sees every byte as the character of that number. No token reaches beyond a word and the space before
# it, a number, or a run of marks or of space, as in GPT-2; bytes above 127 count as letters of words.
LATIN = "latin-1"
WORDS = (
    r" ?[A-Za-z\x{80}-\x{FF}]+| ?[0-9]+| ?[^ \t\n\r\f\x0bA-Za-z0-9\x{80}-\x{FF}]+"
    r"|[ \t\n\r\f\x0b]+(?![^ \t\n\r\f\x0b])|[ \t\n\r\f\x0b]+"
)


class ByteVocabulary:
    """Every byte is its own entry."""

    @property
    def sizes(self) -> np.ndarray:
        """The bytes of every entry: ones, (256,) int64."""
        return np.ones(BYTES, dtype=np.int64)

    def encode(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """The ids of every text, (T,) int64 each."""
        return [np.frombuffer(text, dtype=np.uint8).astype(np.int64) for text in texts]

    def decode(self, ids: Sequence[int]) -> bytes:
        """The text of ids."""
        return bytes(ids)

    def save(self, folder: Path) -> None:
        """There is nothing to write."""


class TokenVocabulary:
    """Byte-pair encoding: the 256 bytes, then what ``merges`` make of them, in this order."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        self.merges = tuple(merges)
        entries = {chr(byte): byte for byte in range(BYTES)}
        for left, right in self.merges:
            entries.setdefault(left + right, len(entries))
        self.tokenizer = Tokenizer(BPE(entries, list(self.merges)))
        self.tokenizer.pre_tokenizer = Split(Regex(WORDS), "isolated")
        self.pieces = [entry.encode(LATIN) for entry in entries]

    @classmethod
    def train(cls, texts: Iterable[bytes], size: int) -> TokenVocabulary:
        """The commonest pairs of ``texts``, merged until there are ``size`` entries, or no pair occurs twice.

        Raises:
            ValueError: the size leaves no room for the 256 bytes.
        """
        if size < BYTES:
            raise ValueError(f"a vocabulary of {size} cannot hold the {BYTES} bytes; give more")
        tokenizer = Tokenizer(BPE())
        tokenizer.pre_tokenizer = Split(Regex(WORDS), "isolated")
        trainer = BpeTrainer(
            vocab_size=size, min_frequency=2, initial_alphabet=list(map(chr, range(BYTES))), show_progress=False
        )
        tokenizer.train_from_iterator((text.decode(LATIN) for text in texts), trainer)
        return cls._of(tokenizer.to_str())

    @classmethod
    def load(cls, path: Path) -> TokenVocabulary:
        """What :meth:`save` wrote.

        Raises:
            ValueError: the file is missing or damaged.
        """
        try:
            return cls._of(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is missing or damaged ({error}); train the tokenizer again") from None

    @classmethod
    def _of(cls, stored: str) -> TokenVocabulary:
        return cls([(left, right) for left, right in json.loads(stored)["model"]["merges"]])

    @property
    def sizes(self) -> np.ndarray:
        """The bytes of every entry, (V,) int64."""
        return np.array([len(piece) for piece in self.pieces], dtype=np.int64)

    def first(self, merges: int) -> TokenVocabulary:
        """What training would have given with so many merges: each is chosen after those before it."""
        return TokenVocabulary(self.merges[:merges])

    def encode(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """The ids of every text, (T,) int64 each."""
        found = self.tokenizer.encode_batch_fast([text.decode(LATIN) for text in texts])
        return [np.array(one.ids, dtype=np.int64) for one in found]

    def decode(self, ids: Sequence[int]) -> bytes:
        """The text of ids."""
        return b"".join(self.pieces[one] for one in ids)

    def save(self, folder: Path) -> None:
        """Write the tokenizer's own file."""
        (folder / FILE).write_text(self.tokenizer.to_str(), encoding="utf-8")


Vocabulary = ByteVocabulary | TokenVocabulary


def load_vocabulary(folder: Path) -> Vocabulary:
    """Tokens where there is a tokenizer's file, else bytes."""
    return TokenVocabulary.load(folder / FILE) if (folder / FILE).is_file() else ByteVocabulary()
