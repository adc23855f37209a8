"""An autoregressive transformer over bytes or tokens: what Zonkey is compared with, and what judges its text.

Shapes: S sequences, Q positions, D width, T entries of a text, V of the vocabulary.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.torch import load_model, save_file
from torch import Tensor, nn

from zonkey.baselines.network import CausalNetwork
from zonkey.baselines.vocabulary import ByteVocabulary, Vocabulary, load_vocabulary
from zonkey.baselines.writing import Choose, greedy, sampled, write
from zonkey.config import LanguageConfig, parse

POSITIONS = 4096  # read at once
T = TypeVar("T", bytes, np.ndarray)


class LanguageModel(CausalNetwork):
    """P(next byte or token | those before it), after a symbol that says that a text begins.

    Args:
        config: the shape.
        vocabulary: what text is read as.
        reverse: reads from the end to the beginning: everything it says of a byte is given what follows it. Texts
            are handed over and given back as people read them all the same.
    """

    def __init__(self, config: LanguageConfig, vocabulary: Vocabulary, reverse: bool = False) -> None:
        super().__init__(config, vocabulary.sizes)
        self.vocabulary, self.reverse = vocabulary, reverse

    def encode(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """The ids of texts in the order of reading, (T,) int64 each."""
        return self.vocabulary.encode([self._turn(text) for text in texts])

    def pad(self, rows: Sequence[np.ndarray]) -> tuple[Int[Tensor, "S Q"], Int[Tensor, " S"]]:
        """Ids of equal length, with the begin symbol after each row's end, and lengths."""
        ids = np.full((len(rows), max(map(len, rows))), self.begin, dtype=np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
        lengths = torch.tensor([len(row) for row in rows])
        return torch.from_numpy(ids).to(self.device), lengths.to(self.device)

    # --- reading ----------------------------------------------------------------------------------------------

    def bits(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """Bits of every byte given what precedes it, (bytes,) float64 each.

        A token's bits are spread evenly over its bytes; the sum over a text is then an upper bound, because other
        tokens could have spelt the same text. Long texts are read in windows that overlap by half.
        """
        rows = self._measure(texts, lambda logits, ids: nn.functional.cross_entropy(logits, ids, reduction="none"))
        found = []
        for ids, nats in rows:
            sizes = self.sizes[ids]
            found.append(self._turn(np.repeat(nats / math.log(2) / sizes, sizes)))
        return found

    def entropies(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        """Entropy in bits of what is predicted at every byte, given what precedes it, (bytes,) float64 each.

        Raises:
            ValueError: the model does not predict bytes.
        """
        if not isinstance(self.vocabulary, ByteVocabulary):
            raise ValueError(f"a model of {self.begin} tokens knows no next byte; give one that reads bytes")
        rows = self._measure(texts, lambda logits, _: torch.distributions.Categorical(logits=logits).entropy())
        return [self._turn(nats / math.log(2)) for _, nats in rows]

    def features(self, texts: Sequence[bytes]) -> np.ndarray:
        """The mean state of every text, (texts, D) float64; zeros for an empty one."""
        sums = np.zeros((len(texts), self.config.width))
        rows = self.encode(texts)
        for window, states in self._read(rows):
            sums[window.row] += states.double().sum(0).cpu().numpy()
        return sums / np.maximum([[len(row)] for row in rows], 1).reshape(-1, 1)

    def _measure(
        self, texts: Sequence[bytes], measure: Callable[[Tensor, Tensor], Tensor]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Ids of every text, and a number for each of them, (T,) float64, from its logits."""
        rows = self.encode(texts)
        found = [np.zeros(len(row)) for row in rows]
        with torch.no_grad():
            for window, states in self._read(rows):
                part = slice(window.scored, window.last)
                ids = torch.from_numpy(rows[window.row][part]).to(self.device)
                found[window.row][part] = measure(self.head(states).double(), ids).cpu().numpy()
        return list(zip(rows, found, strict=True))

    def _read(self, rows: Sequence[np.ndarray]) -> Iterator[tuple[Window, Tensor]]:
        """Windows over all rows, and the states of what each of them scores."""
        windows = [
            Window(number, *bounds)
            for number, row in enumerate(rows)
            for bounds in windows_of(self.sizes[row], self.config.context)
        ]
        windows.sort(key=lambda one: one.last - one.first)
        while windows:
            count = max(1, POSITIONS // (windows[-1].last - windows[-1].first))
            batch, windows = windows[-count:], windows[:-count]
            ids, _ = self.pad([rows[one.row][one.first : one.last] for one in batch])
            with torch.no_grad():
                found = self.states(ids)
            for one, states in zip(batch, found, strict=True):
                yield one, states[one.scored - one.first : one.last - one.first]

    # --- writing ----------------------------------------------------------------------------------------------

    def generate(
        self, n: int, length: int | Sequence[int], *, generator: torch.Generator, temperature: float = 1.0
    ) -> list[bytes]:
        """``n`` texts of ``length`` bytes, or of one length each.

        Raises:
            ValueError: not one length for each text, or the temperature is not above 0.
        """
        lengths = [length] * n if isinstance(length, int) else list(length)
        if len(lengths) != n:
            raise ValueError(f"{len(lengths)} lengths for {n} texts; give one for each")
        return self._write([np.zeros(0, dtype=np.int64)] * n, lengths, sampled(generator, temperature))

    def continue_text(
        self, text: bytes, count: int, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> bytes:
        """``count`` bytes after ``text`` (before it, if it reads from the end): the likeliest without a generator.

        Raises:
            ValueError: the temperature is not above 0.
        """
        choose = sampled(generator, temperature) if generator else greedy
        return self._write(self.encode([text]), [count], choose)[0]

    def _write(self, prompts: Sequence[np.ndarray], counts: Sequence[int], choose: Choose) -> list[bytes]:
        rows = write(self, prompts, counts, choose)
        return [self._turn(self.vocabulary.decode(row)[:count]) for row, count in zip(rows, counts, strict=True)]

    def _turn(self, value: T) -> T:
        """From the order of people to that of the model, and back."""
        if not self.reverse:
            return value
        return value[::-1] if isinstance(value, bytes) else np.flip(value).copy()

    # --- files ------------------------------------------------------------------------------------------------

    def save_pretrained(self, folder: Path) -> None:
        """Weights, shape and vocabulary, into a folder that is there."""
        save_file(self.state_dict(), folder / "model.safetensors")
        shape = {"language": self.config.model_dump(mode="json"), **self.options()}
        (folder / "config.json").write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
        self.vocabulary.save(folder)

    def options(self) -> dict[str, Any]:
        """What the model is built from, beside shape and vocabulary."""
        return {"reverse": self.reverse}

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> LanguageModel:
        """A saved model.

        Raises:
            ValueError: files are missing, damaged or of another model.
        """
        folder = Path(folder)
        try:
            shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config = parse(LanguageConfig, shape.pop("language"), str(folder / "config.json"))
            model = cls(config, load_vocabulary(folder), **shape)
            load_model(model, folder / "model.safetensors")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{folder} holds no whole language model ({reason}); train it again") from None
        return model.eval()


@dataclass(frozen=True)
class Window:
    """Part of a text that is read at once: ids ``first`` to ``last``, of which those from ``scored`` on count."""

    row: int
    first: int
    scored: int
    last: int


def windows_of(sizes: np.ndarray, context: int) -> Iterator[tuple[int, int, int]]:
    """(first, scored, last) of windows of at most ``context`` bytes that overlap by half and score every entry once."""
    ends = np.cumsum(sizes)
    begins = ends - sizes
    first = scored = 0
    while scored < len(sizes):
        last = max(int(np.searchsorted(ends, begins[first] + context, side="right")), scored + 1)
        yield first, scored, last
        if last < len(sizes):
            first = min(int(np.searchsorted(begins, begins[last] - context // 2)), last)
        scored = last
