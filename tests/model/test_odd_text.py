"""Text that no one trained on before: a model learns from it without a loss that is no number, and runs on it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.model.build import merge, pipeline, raw
from zonkey import Zonkey, generate, infill
from zonkey.config import Config, parse
from zonkey.data import Corpus, prepare
from zonkey.train import finetune, train_flow, train_level

pytestmark = pytest.mark.usefixtures("unchecked")

KINDS = {
    "emoji": "🙂🚀👩‍👧🇩🇪",
    "right to left": "שלום مرحبا ",
    "control characters": "".join(map(chr, range(32))),
    "no spaces": "thequickbrownfox",
    "one letter": "a",
    "white": " \n",
    "two bytes each": "é",
}


def learning(path: Path) -> Config:
    """Two steps of every stage on the text in a file."""
    values = raw(2)
    stage = {"steps": 2, "batch": 2, "bytes": 64}
    merge(values["train"], {"checkpoint_every": 2, "validate_every": 2, "sample_texts": 1, "finetune": stage})
    merge(values["train"], {"flow": stage})
    values["train"]["levels"] = [level | stage for level in values["train"]["levels"]]
    values["data"] |= {"source": "jsonl", "path": str(path), "documents": None}
    return parse(Config, values | {"pipeline": pipeline(values)}, "test")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_learns_from_any_text(kind: str, tmp_path: Path) -> None:
    repeats = [1] if kind == "two bytes each" else range(1, 9)
    texts = [KINDS[kind] * (2 if kind == "one letter" else 1) * repeat for repeat in repeats for _ in range(80)]
    rows = ({"id": str(number), "text": text} for number, text in enumerate(texts))
    (tmp_path / "text.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = learning(tmp_path / "text.jsonl")
    corpus, runs = tmp_path / "corpus", tmp_path / "runs"
    prepare(config.data, corpus)
    summaries = [
        train_level(config, 0, corpus, None, tmp_path / "level0", runs),
        train_level(config, 1, corpus, tmp_path / "level0", tmp_path / "level1", runs),
        finetune(config, corpus, tmp_path / "level1", tmp_path / "joint", runs),
        train_flow(config, corpus, tmp_path / "joint", tmp_path / "final", runs),
    ]
    for summary in summaries:
        numbers = [value for row in summary.history for value in row.values() if isinstance(value, float)]
        assert numbers and all(map(math.isfinite, numbers))

    model = Zonkey.from_pretrained(tmp_path / "final")
    text = Corpus(corpus, "test").text(0)
    assert text in texts
    assert all(level.starts[0] == 0 for level in model.segment(text).levels)
    assert len(model.reconstruct([text])) == 1 and len(generate(model, 2, steps=2)) == 2
    filled = infill(model, f"{text}{{gap:3}}{text}", steps=2)
    assert filled.startswith(text) and filled.endswith(text)
