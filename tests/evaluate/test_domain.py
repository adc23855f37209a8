"""What is said of a domain, on cases worked out by hand; and going on from a saved model on a little text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.model.build import config, merge, model, random, raw
from zonkey import Zonkey, evaluate
from zonkey.baselines import LanguageModel, adapt_language, domain_judge, train_language
from zonkey.config import Config, parse
from zonkey.data import Corpus, prepare
from zonkey.train import adapt
from zonkey.train.adapt import lesson
from zonkey.variants import varied

TEXTS = ["He ran. She sat.", "Go on."]


class Two:
    """Spends two bits on every byte, three on an x; writes what it is asked for as x."""

    def bits(self, texts: Sequence[bytes]) -> list[np.ndarray]:
        return [np.array([3.0 if byte == ord("x") else 2.0 for byte in text]) for text in texts]

    def features(self, texts: Sequence[bytes]) -> np.ndarray:
        return np.zeros((len(texts), 1))

    def generate(self, n: int, length: int | Sequence[int], *, generator: torch.Generator) -> list[bytes]:
        assert not isinstance(length, int) and len(length) == n
        return [b"x" * size for size in length]


def test_a_language_model_by_hand() -> None:
    """Cuts at 0, 2 (space before a word), 8 (a sentence), and none in the second text."""
    cuts = {TEXTS[0].encode(): [0, 2, 8], TEXTS[1].encode(): [0]}
    found = evaluate.language_domain(Two(), cuts.__getitem__, TEXTS, Two(), [3, 5], random())
    assert found.words == pytest.approx(2 * 1 * 0.5 / 1.5)  # 2 cuts, both near a word start; 4 words after the first
    assert found.sentences == pytest.approx(2 * 0.5 * 1 / 1.5)  # one of 2 cuts; 1 sentence after the first
    assert (found.bits, found.judge_bits, found.reconstruction) == (2, 3, None)
    assert found.bytes_per_segment == 22 / 4


def test_zonkey_by_its_parts() -> None:
    built = model(2).eval()
    found, written = evaluate.zonkey_domain(built, TEXTS, Two(), 3, 7)
    assert len(written) == 3 and found.bits is None
    data = [text.encode() for text in written]
    assert found.judge_bits == pytest.approx(evaluate.bits_per_byte(Two(), data))
    for level in (0, 1):
        assert found.reconstruction[f"level{level}"] == evaluate.reconstruction(built, TEXTS, level).score.bytes
    scores = evaluate.splitter_scores(
        evaluate.zonkey_splitters(built), [text.encode() for text in TEXTS], evaluate.found_boundaries(TEXTS)
    )
    assert found.words == scores["zonkey_level0"].words.near.f1
    assert found.sentences == scores["zonkey_level1"].sentences.near.f1


def tiny(**changes: object) -> Config:
    values = raw(2)
    merge(values, {"train": {"sample_texts": 0}, "baselines": {"stage": {"steps": 2}}, **changes})
    return parse(Config, values, "test")


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("domain")
    prepare(config().data.model_copy(update={"source": "encyclopedia-other", "documents": 80}), folder)
    return folder


def test_steps_follow_from_the_text_and_the_passes(domain: Path, tmp_path: Path) -> None:
    plan = tiny(adaptation={"passes": 3, "stage": {"steps": 9, "batch": 2, "bytes": 64}}).adaptation
    steps = {size: lesson(plan, domain, size, tmp_path).stage["steps"] for size in (40, 128, 300, 2000)}
    assert steps == {40: 1, 128: 3, 300: 7, 2000: 9}  # 3 x 300 / 128 = 7.03; never more than 9
    assert Corpus(lesson(plan, domain, 300, tmp_path).corpus, "train").bytes == 300


def test_models_go_on_from_where_they_were(domain: Path, tmp_path: Path) -> None:
    whole = tiny(adaptation={"stage": {"learning_rate": 0.01}})
    model(2).save_pretrained(tmp_path / "model")
    train_language(whole, domain, "train", tmp_path / "byte", tmp_path / "runs")
    adapt(whole, tmp_path / "model", domain, 400, tmp_path / "zonkey", tmp_path / "runs")
    adapt_language(whole, tmp_path / "byte", domain, 400, tmp_path / "language", tmp_path / "runs")
    domain_judge(whole, tmp_path / "byte", domain, tmp_path / "judge", tmp_path / "runs")
    before, after = (Zonkey.from_pretrained(tmp_path / name) for name in ("model", "zonkey"))
    far = [(b - a).abs().max() for a, b in zip(before.parameters(), after.parameters(), strict=True)]
    assert 0 < max(far) < 0.5, "neither unmoved nor begun anew"
    languages = [LanguageModel.from_pretrained(tmp_path / name) for name in ("byte", "language", "judge")]
    for other in languages[1:]:
        far = [(b - a).abs().max() for a, b in zip(languages[0].parameters(), other.parameters(), strict=True)]
        assert 0 < max(far) < 0.5


def test_the_plan_fits_the_baselines_of_every_profile(root: Path) -> None:
    from tests.test_variants import PROFILES, profile

    for name in PROFILES:
        whole = profile(root, name)
        assert varied(whole, {"baselines.stage": whole.adaptation.stage.model_dump(mode="json")})
