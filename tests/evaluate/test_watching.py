"""Existence along windows and the way out of the noise, on an untrained model of two levels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zonkey.config import load_config
from zonkey.evaluate import denoising, existence_profile
from zonkey.generate import generate
from zonkey.model import Zonkey

TEXTS = ["The donkey met a zebra.", "They had a foal in May."]


@pytest.fixture(scope="module")
def model(root: Path) -> Zonkey:
    config = load_config(root / "params.yaml").model
    low = config.levels[0].model_copy(update={"width": 16, "heads": 2, "vectors": 2, "window": 8})
    high = low.model_copy(update={"width": 32})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Zonkey(config.model_copy(update={"levels": (low, high)})).eval()


@pytest.mark.parametrize("level", [0, 1])
def test_existence_decays_from_one(model: Zonkey, level: int) -> None:
    profile = existence_profile(model, TEXTS, level)
    for line in (profile.true, profile.low, profile.high, profile.predicted):
        assert line[0] == pytest.approx(1.0)
        assert all(0 <= p <= 1 for p in line)
    assert all(low <= p <= high for low, p, high in zip(profile.low, profile.true, profile.high, strict=True))
    assert profile.true[-1] < 0.9


def test_existence_is_the_splitters_and_ignores_what_is_past_the_end(model: Zonkey) -> None:
    text = "abc"  # one window, if nothing begins inside
    begin = model.segment(text).levels[0]
    assert begin.starts == (0,)
    b = begin.probabilities
    profile = existence_profile(model, [text], 0)
    assert profile.true[:3] == pytest.approx((1.0, 1 - b[1], (1 - b[1]) * (1 - b[2])), abs=1e-5)
    assert len(profile.true) == 3, "no text has the other positions"


@pytest.mark.parametrize("level", [0, 1])
def test_the_way_out_of_the_noise(model: Zonkey, level: int) -> None:
    way = denoising(model, level, steps=6, seed=3, shown=3)
    assert way[0][0] == 1.0 and way[-1][0] == 0.0 and all(0 < t <= 1 for t, _ in way[:-1])
    assert 4 <= len(way) <= 6, "about three, and the result"
    assert way[-1][1] == generate(model, 1, level=level, steps=6, seed=3)[0]
    assert way == denoising(model, level, steps=6, seed=3, shown=3)
    assert all(isinstance(text, str) for _, text in way)


def test_bad_requests(model: Zonkey) -> None:
    with pytest.raises(ValueError, match="at least one text"):
        existence_profile(model, [], 0)
    with pytest.raises(ValueError, match="levels 0 to 1"):
        denoising(model, 2)
