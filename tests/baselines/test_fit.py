"""Language models by the loop that trains Zonkey: resumed exactly, on as many bytes, with as many parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from tests.model.build import ROOT, merge, pipeline, raw
from tests.model.test_training import StoppedError, stop_at, weights_of
from tests.texts import like, text_read
from zonkey.baselines import ByteVocabulary, LanguageModel, train_language, train_tokenizer
from zonkey.baselines.fit import texts_of
from zonkey.config import Config, parse
from zonkey.data import Batches, Corpus
from zonkey.model import Zonkey
from zonkey.train import plan

pytestmark = pytest.mark.usefixtures("unchecked")


def short(steps: int = 6, **train: Any) -> Config:
    values = raw(1)
    merge(values["train"], {"checkpoint_every": 2, "validate_every": 3, "sample_texts": 1} | train)
    values["baselines"] = {
        "language": {"width": 16, "heads": 2, "layers": 1, "context": 64},
        "stage": values["baselines"]["stage"] | {"steps": steps, "batch": 4, "bytes": 64, "learning_rate": 0.02},
        "bpe_vocabulary": 300,
    }
    return parse(Config, values, "test")


def profile(name: str) -> Config:
    values = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for one in ("default", name):
        merge(values, YAML(typ="safe").load((ROOT / "profiles" / f"{one}.yaml").read_text(encoding="utf-8")))
    values["pipeline"] = pipeline(values)
    return parse(Config, values, name)


# --- resuming ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [False, True])
def test_a_stopped_run_resumes_exactly(tmp_path: Path, corpus: Path, tokens: bool) -> None:
    tokenizer = tmp_path / "tokenizer.json" if tokens else None
    if tokenizer:
        train_tokenizer(corpus, "train", short().baselines.bpe_vocabulary, tokenizer)

    def run(name: str) -> Any:
        folder = tmp_path / name
        return train_language(short(), corpus, "train", folder / "model", folder / "runs", tokenizer=tokenizer)

    whole = run("whole")
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 5)
        with pytest.raises(StoppedError):
            run("parts")
    assert not (tmp_path / "parts" / "model").exists()
    assert run("parts") == whole and {"loss", "bits_per_byte", "accuracy"} == set(whole.metrics)
    assert weights_of(tmp_path / "parts" / "model") == weights_of(tmp_path / "whole" / "model")


def test_two_processes_train_as_one(tmp_path: Path, corpus: Path) -> None:
    """Both halves of a batch count alike: the run is that of one process, but for how sums are rounded."""
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        config = short(processes=processes, sample_texts=0)
        found.append(train_language(config, corpus, "judge", folder / "model", folder / "runs", reverse=True))
        assert LanguageModel.from_pretrained(folder / "model").reverse
    assert found[0].metrics["loss"] == pytest.approx(found[1].metrics["loss"], rel=0.02)


# --- what is learned --------------------------------------------------------------------------------------


def held_out(folder: Path, corpus: Path) -> float:
    text = Corpus(corpus, "test")
    bits = LanguageModel.from_pretrained(folder).bits([text[index] for index in range(len(text))])
    return sum(one.sum() for one in bits) / text.bytes


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("tokens", [False, True])
def test_a_model_learns_and_goes_on_learning(tmp_path: Path, corpus: Path, tokens: bool, reverse: bool) -> None:
    tokenizer = tmp_path / "tokenizer.json" if tokens else None
    if tokenizer:
        train_tokenizer(corpus, "train", 300, tokenizer)
    first, second = tmp_path / "first", tmp_path / "second"
    config = short(120, validate_every=120, checkpoint_every=120)
    summary = train_language(config, corpus, "train", first, tmp_path / "runs", tokenizer=tokenizer, reverse=reverse)
    losses = [row["validation/bits_per_byte"] for row in summary.history if row.get("kind") == "validation"]
    assert losses[-1] < losses[0] - 2 and losses[-1] == summary.metrics["bits_per_byte"], losses
    pieces = texts_of(Batches(Corpus(corpus, "validation"), 4, 64, config.seed).at(0))
    bits = LanguageModel.from_pretrained(first).bits(pieces)
    assert losses[-1] == pytest.approx(sum(one.sum() for one in bits) / sum(map(len, pieces)), rel=1e-3)
    train_language(config, corpus, "train", second, tmp_path / "runs", source=first)
    assert held_out(second, corpus) < held_out(first, corpus) - 0.1
    assert LanguageModel.from_pretrained(second).reverse == reverse


def test_the_judge_reads_another_split(tmp_path: Path, corpus: Path) -> None:
    for split in ("train", "judge"):
        train_language(short(), corpus, split, tmp_path / split, tmp_path / "runs")
    assert weights_of(tmp_path / "train") != weights_of(tmp_path / "judge")
    assert len([path for path in (tmp_path / "runs").iterdir() if path.is_dir()]) == 2


def test_a_source_has_its_own_direction(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(ValueError, match="has its own vocabulary and direction"):
        train_language(short(), corpus, "train", tmp_path / "m", tmp_path, reverse=True, source=tmp_path)


# --- the same budget --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "tiny", "wikipedia-cpu", "gpu"])
def test_baselines_are_as_large_as_the_model_and_read_as_many_bytes(name: str) -> None:
    """Bytes of real text, without padding. The flows are not counted: they learn from compressed vectors, and training
    takes about as long then."""
    config = profile(name)
    text = like(config)
    read = text_read((stage for part, stage in plan(config).items() if part != "flow"), text, config.seed)
    own = text_read([config.baselines.stage], text, config.seed)
    assert own == pytest.approx(read, rel=0.05), "baselines.stage.steps"
    with torch.device("meta"):
        models = Zonkey(config.model), LanguageModel(config.baselines.language, ByteVocabulary())
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1), "baselines.language"
