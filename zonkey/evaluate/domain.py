"""How well a model knows a domain: boundaries, reconstruction, and what a judge of that domain says of its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from zonkey.evaluate.judge import Judge, Splitter, bits_per_byte
from zonkey.evaluate.round_trip import reconstruction
from zonkey.evaluate.splitting import found_boundaries, splitter_scores, zonkey_splitters
from zonkey.generate import generate
from zonkey.model import Zonkey


class Writer(Judge, Protocol):
    """A language model that knows what text costs it, and writes."""

    def generate(self, n: int, length: int | Sequence[int], *, generator: torch.Generator) -> list[bytes]:
        """``n`` texts of these many bytes."""
        ...


@dataclass(frozen=True)
class DomainScore:
    """One model on held-out text of one domain; None where it does not apply."""

    words: float  # F1 of segment begins against word starts, within one byte; of level 0
    sentences: float  # the same against sentence starts; of the top level
    bytes_per_segment: float  # at level 0
    reconstruction: dict[str, float] | None  # share of bytes right, by level
    bits: float | None  # that held-out text costs the model itself, per byte
    judge_bits: float | None  # that its own text costs the judge of the domain, per byte


def zonkey_domain(
    model: Zonkey, texts: Sequence[str], judge: Judge, count: int, seed: int
) -> tuple[DomainScore, list[str]]:
    """Measure Zonkey, which gives text no probability; also the ``count`` texts it wrote."""
    data, truth = [text.encode() for text in texts], found_boundaries(texts)
    scores = splitter_scores(zonkey_splitters(model), data, truth, seed)
    names = [f"level{level}" for level in range(len(model.levels))]
    low, high = scores[f"zonkey_{names[0]}"], scores[f"zonkey_{names[-1]}"]
    back = {name: reconstruction(model, texts, level).score.bytes for level, name in enumerate(names)}
    written = generate(model, count, seed=seed)
    judged = bits_per_byte(judge, [text.encode() for text in written])
    score = DomainScore(low.words.near.f1, high.sentences.near.f1, low.bytes_per_segment, back, None, judged)
    return score, written


def language_domain(
    model: Writer,
    splitter: Splitter,
    texts: Sequence[str],
    judge: Judge,
    lengths: Sequence[int],
    generator: torch.Generator,
) -> DomainScore:
    """Measure a language model that reads what ``splitter`` cuts; it writes texts of ``lengths`` bytes."""
    data, truth = [text.encode() for text in texts], found_boundaries(texts)
    cuts = splitter_scores({"it": splitter}, data, truth)["it"]
    written = model.generate(len(lengths), lengths, generator=generator)
    return DomainScore(
        words=cuts.words.near.f1,
        sentences=cuts.sentences.near.f1,
        bytes_per_segment=cuts.bytes_per_segment,
        reconstruction=None,
        bits=bits_per_byte(model, data),
        judge_bits=bits_per_byte(judge, written),
    )
