"""Byte-pair encoding that is told nothing: no rule keeps its tokens within words."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from zonkey.baselines.vocabulary import BYTES, LATIN, TokenVocabulary


class FreeVocabulary(TokenVocabulary):
    """As :class:`TokenVocabulary`, but a token may hold spaces and parts of several words, whatever stands there."""

    def __init__(self, merges: Iterable[tuple[str, str]]) -> None:
        super().__init__(tuple(merges))
        self.tokenizer.pre_tokenizer = None

    @classmethod
    def train(cls, texts: Iterable[bytes], size: int) -> FreeVocabulary:
        """The commonest pairs of ``texts``, merged until there are ``size`` entries, or no pair occurs twice.

        Every text is one word to the trainer: memory grows with the text, some 150 bytes for each of its bytes.

        Raises:
            ValueError: the size leaves no room for the 256 bytes.
        """
        if size < BYTES:
            raise ValueError(f"a vocabulary of {size} cannot hold the {BYTES} bytes; give more")
        tokenizer = Tokenizer(BPE())
        trainer = BpeTrainer(
            vocab_size=size, min_frequency=2, initial_alphabet=list(map(chr, range(BYTES))), show_progress=False
        )
        tokenizer.train_from_iterator((text.decode(LATIN) for text in texts), trainer)
        return cls(TokenVocabulary._of(tokenizer.to_str()).merges)

    def first(self, merges: int) -> FreeVocabulary:
        """What training would have given with so many merges."""
        return FreeVocabulary(self.merges[:merges])
