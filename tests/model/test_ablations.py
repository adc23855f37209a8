"""Each switch of the ablations: what it changes, and that a whole model trains with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.build import bytes_batch, config, losses, merge, model, random, raw
from zonkey import Zonkey, infill
from zonkey.config import Config, parse
from zonkey.data import Batches, Corpus
from zonkey.evaluate import existence_profile
from zonkey.existence import NEVER, cut, hardened, real_positions
from zonkey.level import LevelStep
from zonkey.losses import LevelLosses
from zonkey.phases import SPLITTING
from zonkey.splitter import fixed_logits, marks_of, rise
from zonkey.train import finetune, plan, reading, train_all, train_flow, train_level
from zonkey.variants import variant

TEXT = 'He ran. "Go on!"  She\nsat (at 5.5). End'


def quick(levels: int = 2, **changes: Any) -> Config:
    """Runs of two steps."""
    values = raw(levels)
    stage = {"steps": 2, "batch": 2, "bytes": 64}
    merge(values["train"], {"sample_texts": 0, "finetune": stage, "flow": stage})
    values["train"]["levels"] = [values["train"]["levels"][0] | stage for _ in range(levels)]
    merge(values, changes)
    return parse(Config, values, "test")


def step_of(built: Zonkey, level: int = 0) -> LevelStep:
    tokens, lengths = bytes_batch([TEXT, "The sea gives the rain back. A river runs."])
    step = built(tokens, lengths, losses(), random()).levels[level]
    assert step is not None
    return step


# --- splitting --------------------------------------------------------------------------------------------


def test_a_stride_keeps_the_rate() -> None:
    shape = config(1, splitting="stride", target_rate=0.4).model.levels[0]
    real = real_positions(torch.tensor([11, 4]), 11)
    begins = fixed_logits(shape, real, None) > 0
    assert begins[0].nonzero()[:, 0].tolist() == [0, 3, 5, 8, 10]  # floor(0.4 i) grows: every 2.5 positions
    assert begins[1].nonzero()[:, 0].tolist() == [0, 3]


def test_marks_are_runs_of_space_sentences_and_lines() -> None:
    tokens, lengths = bytes_batch([TEXT, "ab"])
    runs, sentences, lines = (kind.nonzero().tolist() for kind in marks_of(tokens, lengths))
    assert [at for _, at in runs] == [2, 7, 11, 16, 21, 25, 29, 35]  # the second of two spaces begins nothing
    assert [at for _, at in sentences] == [7, 16, 21, 35]  # after a full stop, a quotation, a line, a bracket
    assert [at for _, at in lines] == [21] and TEXT[21] == "\n"
    assert {row for row, _ in runs} == {0}


def test_marks_rise_with_the_segments() -> None:
    """Level 1's positions are level 0's segments: a sentence begins where its first segment does."""
    tokens, lengths = bytes_batch([TEXT])
    marks = marks_of(tokens, lengths)
    begins = marks[0] | (torch.arange(tokens.shape[1]) == 0)
    segments = cut(torch.zeros(tokens.shape), begins, lengths, 16, None)
    slot = torch.arange(len(segments.start))[None]
    above = rise(marks, segments, slot)
    assert above is not None and above.tolist() == [
        [[start in (7, 16, 21, 35) for start in segments.start.tolist()]],
        [[start == 21 for start in segments.start.tolist()]],
    ]
    assert torch.equal(rise(marks[2:], segments, slot), above[1:])  # the last kind stays
    assert rise(None, segments, slot) is None


def test_spaces_are_the_begins_at_every_level() -> None:
    built = model(2, splitting="spaces", window=16, target_rate=0.2)
    low, high = built.segment(TEXT).levels
    assert set(low.starts) == {0, 2, 7, 11, 16, 21, 25, 29, 35}
    assert set(high.starts) == {0, 7, 16, 21, 35}
    trained = step_of(built, 1).segments
    assert trained.start[trained.document == 0][: trained.counts[0]].tolist() == [0, 2, 4, 5, 8]
    assert existence_profile(built, [TEXT], 1).true[0] == 1
    with pytest.raises(ValueError, match="splitting is 'spaces', which needs the whole text"):
        infill(built, "The {gap:4} end.", steps=1)


@pytest.mark.parametrize("splitting", ["stride", "spaces"])
def test_a_splitter_that_does_not_learn_has_no_losses(splitting: str) -> None:
    built = model(2, splitting=splitting)
    tokens, lengths = bytes_batch([TEXT] * 2)
    out = built(tokens, lengths, losses(), random())
    for step in out.levels:
        assert step is not None and not {*SPLITTING} & set(step.losses.named())
        assert set(LevelLosses.__dataclass_fields__) >= {*SPLITTING}
    out.loss.backward()
    assert all(p.grad is None for level in built.levels for p in level.splitter.parameters())
    again = built(tokens, lengths, losses(), random(7))
    for one, two in zip(out.levels, again.levels, strict=True):
        assert torch.equal(one.segments.start, two.segments.start)  # nothing is drawn


# --- existence --------------------------------------------------------------------------------------------


def test_hard_existence_ends_with_the_segment() -> None:
    logits = torch.tensor([[0.0, -1.0, 2.0, -3.0, 0.5, 0.0]], requires_grad=True)
    begins = torch.tensor([[True, False, True, False, False, False]])
    soft = cut(logits, begins, torch.tensor([5]), 4, None)
    hard = cut(logits, begins, torch.tensor([5]), 4, None, hard=True)
    assert hard.p.tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]] == hard.share.tolist()
    assert torch.equal(hard.own, soft.own) and torch.equal(hard.mask, soft.mask)
    assert soft.log_p.requires_grad and not hard.log_p.requires_grad and not hard.share.requires_grad


def test_existence_is_rounded() -> None:
    p = torch.tensor([[1.0, 0.6, 0.5, 0.4, 0.0]])
    assert hardened(p.log()).tolist() == [[0, 0, 0, NEVER, NEVER]]


def test_hard_attention_sends_the_begins_no_gradient() -> None:
    """Of all terms, only the splitter's own reach it."""
    for existence, reached in (("soft", True), ("hard", False)):
        shape = config(1).model.model_copy(update={"existence": existence})
        built = Zonkey(shape)
        tokens, lengths = bytes_batch([TEXT] * 2)
        weights = losses(**dict.fromkeys(SPLITTING, 0.0))
        built(tokens, lengths, weights, random()).loss.backward()
        gradients = [p.grad for p in built.levels[0].splitter.parameters()]
        assert any(g is not None and g.abs().sum() > 0 for g in gradients) == reached


def test_what_does_not_exist_changes_nothing_when_hard() -> None:
    """Vectors behind a hard end leave the compressed segment as it is."""
    built = Zonkey(config(1).model.model_copy(update={"existence": "hard"}))
    x, lengths = built.embed(["abcdefgh"])
    begins = torch.tensor([[True, False, False, True, False, False, False, False]])
    segments = cut(torch.zeros(1, 8), begins, lengths, 8, None, hard=True)
    other = torch.where(torch.arange(8)[:, None] < 3, x, x.flip(1))
    z, z_other = built.levels[0].compress(x, segments), built.levels[0].compress(other, segments)
    torch.testing.assert_close(z[0], z_other[0])
    assert not torch.allclose(z[1], z_other[1], atol=1e-2)


# --- whole models -----------------------------------------------------------------------------------------


def test_all_stages_in_one_call_are_the_stages(tmp_path: Path, corpus: Path, unchecked: None) -> None:
    shape, runs = quick(), tmp_path / "runs"
    whole = train_all(shape, corpus, tmp_path / "whole", runs)
    low, high, joint, final = (tmp_path / name for name in ("level0", "level1", "joint", "final"))
    one = train_level(shape, 0, corpus, None, low, tmp_path / "other")
    two = train_level(shape, 1, corpus, low, high, tmp_path / "other")
    three = finetune(shape, corpus, high, joint, tmp_path / "other")
    four = train_flow(shape, corpus, joint, final, tmp_path / "other")
    assert whole.stages == {"level0": one, "level1": two, "finetune": three, "flow": four}
    assert list(whole.stages) == list(plan(shape))
    assert whole.model == tmp_path / "whole" / "final"
    assert whole.bytes_read == {
        "levels": one.bytes_read + two.bytes_read + three.bytes_read,
        "flows": four.bytes_read,
    }
    assert {name: stage.bytes_read for name, stage in whole.stages.items()} == reading(shape, corpus)
    text = Batches(Corpus(corpus, "train"), 2, 64, shape.seed)
    assert one.bytes_read == sum(int(text.at(step).lengths.sum()) for step in range(2))
    assert (whole.model / "model.safetensors").read_bytes() == (final / "model.safetensors").read_bytes()
    frozen = train_all(shape, corpus, tmp_path / "frozen", runs, finetune=False)
    assert set(frozen.stages) == {"level0", "level1", "flow"}
    assert frozen.bytes_read == {"levels": one.bytes_read + two.bytes_read, "flows": four.bytes_read}
    levels = tmp_path / "frozen" / "level1" / "model.safetensors"
    assert levels.read_bytes() == (high / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", list(quick().ablations.variants))
def test_every_variant_trains_and_works(name: str, tmp_path: Path, corpus: Path, unchecked: None) -> None:
    shape = variant(quick(ablations={"steps": [2, 2, 2], "finetune": 1, "flow": 2}), name)
    stages = [stage.model_copy(update={"steps": 2}) for stage in shape.train.levels]
    shape = shape.model_copy(update={"train": shape.train.model_copy(update={"levels": tuple(stages)})})
    run = train_all(shape, corpus, tmp_path / "models", tmp_path / "runs", bool(shape.ablations.finetune))
    built = Zonkey.from_pretrained(run.model)
    assert built.config == shape.model and run.model.name == ("joint" if shape.model.objective == "ddmm" else "final")
    assert all(value == value for summary in run.stages.values() for value in summary.metrics.values())
    assert run.bytes_read["levels"] and bool(run.bytes_read["flows"]) == (shape.model.objective == "flow")
    assert len(built.reconstruct([TEXT])) == 1 and built.segment(TEXT).levels[0].starts[0] == 0
