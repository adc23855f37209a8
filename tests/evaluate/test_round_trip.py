"""Reconstruction: batches, order and noise levels, on a stand-in that remembers what it was asked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from zonkey.evaluate import batches, noise_curve, reconstruction
from zonkey.text import Latents


class Echo:
    """A model that keeps texts, and forgets the first byte at noise above one half."""

    def __init__(self) -> None:
        self.encoded: list[list[str]] = []
        self.seeds: list[int] = []

    def encode(self, texts: list[str], level: int) -> Latents:
        self.encoded.append(texts)
        return Latents(level, torch.zeros(len(texts), 1, 2), torch.ones(len(texts), dtype=torch.long))

    def add_noise(self, z: torch.Tensor, t: float, seed: int) -> torch.Tensor:
        self.seeds.append(seed)
        return z + t

    def decode(self, latents: Latents, noise: float) -> list[str]:
        assert float(latents.vectors.max()) == pytest.approx(noise)
        return [text[1:] if noise > 0.5 else text for text in self.encoded[-1]]


def test_batches_hold_texts_of_alike_length() -> None:
    texts = ["a" * 5, "b", "c" * 9, "d" * 2, "é"]
    assert list(batches(texts, limit=6)) == [[1, 3, 4], [0], [2]]
    assert list(batches([])) == []


def test_results_stand_in_the_order_of_the_texts() -> None:
    model, texts = Echo(), ["four", "a longer text", "ab"]
    clean, noisy = noise_curve(model, texts, level=1, noises=[0.0, 0.75], seed=7)
    assert clean.results == ("four", "a longer text", "ab") and clean.score.bytes == 1.0
    assert noisy.results == ("our", " longer text", "b") and (noisy.level, noisy.noise) == (1, 0.75)
    assert noisy.score.bytes == pytest.approx(16 / 19) and noisy.score.exact == 0.0
    assert model.encoded == [["ab", "four", "a longer text"]], "encoded once"
    assert model.seeds == [7]


def test_one_level_of_noise() -> None:
    assert reconstruction(Echo(), ["text"], 0) == noise_curve(Echo(), ["text"], 0, [0.0])[0]


@pytest.mark.parametrize(("texts", "noise"), [([], 0.0), (["text"], 1.5), (["text"], -0.1)])
def test_bad_requests(texts: list[str], noise: float) -> None:
    with pytest.raises(ValueError, match=r"noise is|at least one"):
        reconstruction(SimpleNamespace(), texts, 0, noise)
