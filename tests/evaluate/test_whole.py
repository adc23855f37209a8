"""The short measurement says what its parts say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.model.build import config, model
from zonkey import evaluate, generate
from zonkey.data import Corpus, encyclopedia, prepare


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    prepare(config().data.model_copy(update={"documents": 60, "validation": 0.1, "test": 0.1}), folder)
    return folder


def test_all_parts_are_measured_on_the_test_split(corpus: Path) -> None:
    built, plan = model(2).eval(), config().evaluate.model_copy(update={"documents": 2, "generated": 3, "seed": 4})
    found = evaluate.measure(built, corpus, plan)
    texts = [Corpus(corpus, "test").text(index) for index in range(2)]
    assert found["data"] == {"source": "encyclopedia", "documents": 2, "bytes": sum(len(t.encode()) for t in texts)}
    assert found["model"] == {
        "parameters": sum(p.numel() for p in built.parameters()),
        "levels": 2,
        "objective": "flow",
    }
    for level in (0, 1):
        name = f"level{level}"
        clean = evaluate.reconstruction(built, texts, level)
        kept = dict(found["reconstruction"][name])
        noise = kept.pop("noise")
        assert kept == evaluate.rounded(clean.score) and noise["0"] == kept["bytes"]
        assert set(noise) == {f"{t:g}" for t in plan.noise_levels}
        report = evaluate.rounded(evaluate.level_report([built.segment(text) for text in texts], level))
        assert report.items() <= found["segmentation"][name].items()
        training = Corpus(corpus, "train")
        written = generate(built, 3, level=level, seed=4)
        known = evaluate.corpus_words(training)
        score = evaluate.generation_score(written, known, training, encyclopedia.is_sentence)
        assert found["generation"][name] == evaluate.rounded(score)
    assert json.loads(json.dumps(found)) == found


def test_cuts_at_the_space_are_near_the_word(corpus: Path) -> None:
    """The oracle cuts before the spaces: never at a word's first byte, always one before it."""
    built = model(1, splitting="spaces", window=40, target_rate=0.2).eval()
    found = evaluate.measure(built, corpus, config().evaluate.model_copy(update={"documents": 3, "generated": 1}))
    cuts = found["segmentation"]["level0"]
    assert cuts["words"]["f1"] == 0 and cuts["spaces"]["f1"] > 0.95 and cuts["words_near"]["precision"] > 0.9
