"""The model that learns where to cut by predicting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.baselines.build import SHAPE, random
from tests.baselines.test_fit import short
from zonkey.baselines import ChunkingModel, calibrate, threshold_splitter, train_language

TEXT = "The river runs to the sea, 바다로 간다, and the sea gives the rain back.".encode()


def chunking(seed: int = 0) -> ChunkingModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ChunkingModel(SHAPE, bytes_per_chunk=3.0).eval()
        torch.nn.init.normal_(model.head.weight, std=0.5)
    return model


@pytest.mark.parametrize("at", [3, 9, 15, 30])
def test_a_byte_says_nothing_of_those_before_it(at: int) -> None:
    model, changed = chunking(), TEXT[:at] + bytes([TEXT[at] ^ 1]) + TEXT[at + 1 :]
    for read in (model.bits, model.begins):
        one, two = read([TEXT])[0], read([changed])[0]
        assert one.shape == (len(TEXT),) and one[:at] == pytest.approx(two[:at], abs=1e-4)
        assert np.abs(one[at:] - two[at:]).max() > 1e-3


def test_texts_do_not_depend_on_their_neighbours() -> None:
    model, texts = chunking(), [TEXT, TEXT[:5], TEXT[7:40]]
    for text, bits in zip(texts, model.bits(texts), strict=True):
        assert bits == pytest.approx(model.bits([text])[0], abs=1e-4)


def test_chunks_begin_where_the_router_says() -> None:
    """The states of a text of one chunk and of many differ by nothing but these: probabilities above a half."""
    model, text = chunking(), TEXT[:12]
    with torch.no_grad():
        ids = torch.tensor([[model.begin, *text]])
        _, seen = model.chunker(model.decoder(model.embed(ids)), return_intermediates=True)
    found = [0, *(at for at in range(1, 12) if seen.boundary_mask[0, at + 1])]
    assert list(threshold_splitter(model.begins, 0.5)(text)) == found


def test_cuts_keep_the_rate_they_are_set_to() -> None:
    model, text = chunking(), TEXT * 5
    threshold = calibrate(model.begins, [text], 4.0)
    assert len(text) / len(threshold_splitter(model.begins, threshold)(text)) == pytest.approx(4.0, rel=0.1)


def test_what_is_written_has_its_length() -> None:
    model = chunking()
    assert [len(text) for text in model.generate(3, [0, 5, 25], generator=random())] == [0, 5, 25]
    assert model.generate(2, 9, generator=random()) == model.generate(2, 9, generator=random())
    text = b"The sea"
    for _ in range(5):
        with torch.no_grad():
            text += bytes([int(model(torch.tensor([[*text, 0]]))[0][0, -1].argmax())])
    assert model.continue_text(b"The sea", 5) == text[7:]


@pytest.mark.usefixtures("unchecked")
def test_it_learns_and_its_files_hold_all_of_it(tmp_path: Path, corpus: Path) -> None:
    config = short(60, validate_every=60, checkpoint_every=60)
    summary = train_language(config, corpus, "train", tmp_path / "m", tmp_path / "runs", bytes_per_chunk=4.0)
    losses = [row["validation/bits_per_byte"] for row in summary.history if row.get("kind") == "validation"]
    assert losses[-1] < losses[0] - 1
    model = ChunkingModel.from_pretrained(tmp_path / "m")
    assert model.bytes_per_chunk == 4.0
    model.save_pretrained(tmp_path / "m")
    again = ChunkingModel.from_pretrained(tmp_path / "m")
    assert np.array_equal(again.bits([TEXT])[0], model.bits([TEXT])[0])
    assert np.array_equal(again.begins([TEXT])[0], model.begins([TEXT])[0])


def test_every_parameter_learns() -> None:
    model = chunking()
    ids, _ = model.pad(model.encode([TEXT, TEXT[::-1]]))
    logits, penalty = model(ids)
    (torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.clamp(max=255).flatten()) + penalty).backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert still <= {"chunker.start_key_token"}, still


def test_chunks_are_of_bytes(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(ValueError, match="chunks are of bytes, give no tokenizer"):
        train_language(short(), corpus, "train", tmp_path, tmp_path, bytes_per_chunk=4.0, tokenizer=tmp_path / "t.json")
