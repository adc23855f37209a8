"""What comes back, on texts and results written by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from zonkey.evaluate import Fidelity, fidelity_score, floats_per_byte, level_fidelity, script, segments_right
from zonkey.text import Latents, LevelSegmentation, Segmentation


@pytest.mark.parametrize(
    ("result", "right"),
    [
        (b"the cat sat", 3),
        (b"the bat sat", 2),
        (b"he cat sat", 2),  # a byte is missing: of the first segment only
        (b"the caat sat", 2),  # one too many, inside the second
        (b"the cat sat!", 3),  # after the last: no segment is hurt
        (b"", 0),
        (b"xxxxxxxxxxx", 0),
    ],
)
def test_whole_segments(result: bytes, right: int) -> None:
    assert segments_right(b"the cat sat", result, [0, 3, 7]) == right


def test_scores_by_hand() -> None:
    # "ab|cd" comes back without its last byte, "éa|b" whole: 7 of 8 bytes, 3 of 4 segments, 1 of 2 texts.
    assert fidelity_score(["abcd", "éab"], ["abc", "éab"], [[0, 2], [0, 3]]) == Fidelity(2, 7 / 8, 1 / 2, 3 / 4, 4)
    with pytest.raises(ValueError, match="one result for each"):
        fidelity_score([], [], [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Δ of 서울", "latin"),
        ("Москва, Moskva и Киев", "cyrillic"),
        ("바다로 간다", "hangul"),
        ("東京 Tōk", "latin"),
        ("東京都 to", "cjk"),
        ("1,200 — 300", "none"),
    ],
)
def test_scripts(text: str, name: str) -> None:
    assert script(text) == name


class Halving:
    """Splits texts in two, and loses the last byte of what is noised."""

    levels = (SimpleNamespace(config=SimpleNamespace(vectors=2, width=3)),)

    def check_level(self, level: int) -> int:
        return level

    def segment(self, text: str) -> Segmentation:
        return Segmentation(text, (LevelSegmentation((0, len(text.encode()) // 2), (), ()),))

    def encode(self, texts: list[str], level: int) -> Latents:
        self.texts = texts
        return Latents(level, torch.zeros(len(texts), 1, 2), torch.ones(len(texts), dtype=torch.long))

    def add_noise(self, z: torch.Tensor, t: float, seed: int) -> torch.Tensor:
        return z

    def decode(self, latents: Latents, noise: float) -> list[str]:
        return [text[:-1] if noise else text for text in self.texts]


def test_a_level_by_noise_and_script() -> None:
    found = level_fidelity(Halving(), ["abcd", "аб"], 0, [0.5])
    assert found.floats_per_byte == 4 * 2 * 3 / 8  # four segments, eight bytes
    whole = Fidelity(2, 1.0, 1.0, 1.0, 4)
    assert found.noise == {0.0: whole, 0.5: Fidelity(2, 1 - (1 + 2) / 8, 0.0, 2 / 4, 4)}
    assert found.scripts == {"cyrillic": Fidelity(1, 1.0, 1.0, 1.0, 2), "latin": Fidelity(1, 1.0, 1.0, 1.0, 2)}
    with pytest.raises(ValueError, match="at least one segmentation"):
        floats_per_byte(Halving(), [], 0)
