"""The autoregressive model: what it says of bytes, what it writes, and its files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from tests.baselines.build import SHAPE, language, random, uniform
from zonkey.baselines import LanguageModel, TokenVocabulary, language_score
from zonkey.baselines.language import windows_of

TEXT = "The river runs to the sea, 바다로 간다, and the sea gives the rain back.".encode()
TOKENS = TokenVocabulary.train([TEXT, b"the sea, the sea, the river"], 270)


# --- reading ----------------------------------------------------------------------------------------------


def test_a_model_that_knows_nothing_needs_eight_bits() -> None:
    for text, bits in zip([b"a", TEXT, b""], uniform().bits([b"a", TEXT, b""]), strict=True):
        assert bits.shape == (len(text),) and bits == pytest.approx(8.0)
    assert uniform().entropies([TEXT])[0] == pytest.approx(8.0)


def test_tokens_spread_their_bits_over_their_bytes() -> None:
    """Merges by hand: t+h, th+e. "the" is one token of three bytes, "hat" is three of one."""
    vocabulary = TokenVocabulary([("t", "h"), ("th", "e")])
    bits = uniform(vocabulary).bits([b"thehat"])[0]
    token = math.log2(258)
    assert bits == pytest.approx([token / 3] * 3 + [token] * 3)


@pytest.mark.parametrize("reverse", [False, True])
def test_short_texts_are_read_in_one_pass(reverse: bool) -> None:
    model, text = language(reverse=reverse), TEXT[:16]
    ids = torch.tensor([list(text[::-1] if reverse else text)])
    with torch.no_grad():
        logs = log_softmax(model(ids)[0][0].double(), dim=-1)
    bits = -logs[torch.arange(16), ids[0]].numpy() / math.log(2)
    assert model.bits([text])[0] == pytest.approx(bits[::-1] if reverse else bits, abs=1e-4)
    entropy = -(logs.exp() * logs).sum(-1).numpy() / math.log(2)
    assert model.entropies([text])[0] == pytest.approx(entropy[::-1] if reverse else entropy, abs=1e-4)


@pytest.mark.parametrize("at", [3, 9, 15, 30, 60])
def test_a_byte_says_nothing_of_those_before_it(at: int) -> None:
    changed = TEXT[:at] + bytes([TEXT[at] ^ 1]) + TEXT[at + 1 :]
    for model, same, other in (
        (language(), slice(None, at), slice(at, None)),
        (language(reverse=True), slice(at + 1, None), slice(None, at + 1)),
    ):
        one, two = model.bits([TEXT])[0], model.bits([changed])[0]
        assert one[same] == pytest.approx(two[same], abs=1e-4)
        assert np.abs(one[other] - two[other]).max() > 0.01


def test_texts_do_not_depend_on_their_neighbours() -> None:
    model, texts = language(), [TEXT, TEXT[:5], b"", TEXT[7:40]]
    for text, bits in zip(texts, model.bits(texts), strict=True):
        assert bits == pytest.approx(model.bits([text])[0], abs=1e-4)
    together = model.features(texts)
    assert together.shape == (4, SHAPE.width)
    assert together == pytest.approx(np.concatenate([model.features([text]) for text in texts]), abs=1e-4)
    assert not together[2].any() and np.abs(together[0] - together[1]).max() > 0.01


def test_windows_by_hand() -> None:
    assert list(windows_of(np.ones(5, dtype=int), 8)) == [(0, 0, 5)]
    assert list(windows_of(np.ones(20, dtype=int), 8)) == [(0, 0, 8), (4, 8, 12), (8, 12, 16), (12, 16, 20)]
    assert list(windows_of(np.array([3, 3, 3, 9, 1]), 8)) == [(0, 0, 2), (1, 2, 3), (2, 3, 4), (4, 4, 5)]
    assert list(windows_of(np.zeros(0, dtype=int), 8)) == []


def test_a_long_text_is_read_with_half_a_context_before_it() -> None:
    """Bytes 16 to 23 of a text are those of a window that begins at byte 8."""
    model = language()
    assert model.bits([TEXT])[0][16:24] == pytest.approx(model.bits([TEXT[8:24]])[0][8:], abs=1e-4)


def test_scores_by_hand() -> None:
    """Two texts of 6 and 2 bytes; as tokens "the", "h", "a", "t" and "th", each as likely as 257 others."""
    texts = [b"thehat", b"th"]
    plain = language_score(uniform(), texts)
    assert (plain.bytes, plain.entries, plain.bytes_per_entry) == (8, 256, 1) and plain.bits_per_byte == pytest.approx(
        8
    )
    tokens = language_score(uniform(TokenVocabulary([("t", "h"), ("th", "e")])), texts)
    assert (tokens.bytes, tokens.entries, tokens.bytes_per_entry) == (8, 258, 8 / 5)
    assert tokens.bits_per_byte == pytest.approx(5 * math.log2(258) / 8)
    assert tokens.parameters == plain.parameters + 2 * (2 * SHAPE.width) + 2
    with pytest.raises(ValueError, match="no text to score"):
        language_score(uniform(), [b""])


def test_tokens_have_no_next_byte() -> None:
    with pytest.raises(ValueError, match=r"a model of [0-9]+ tokens knows no next byte"):
        language(TOKENS).entropies([TEXT])


# --- writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vocabulary", [None, TOKENS], ids=["bytes", "tokens"])
def test_written_texts_have_their_lengths(vocabulary: TokenVocabulary | None) -> None:
    model = language(vocabulary)
    assert [len(text) for text in model.generate(4, [0, 1, 7, 50], generator=random())] == [0, 1, 7, 50]
    assert [len(text) for text in model.generate(2, 3, generator=random())] == [3, 3]
    assert model.generate(0, 9, generator=random()) == [] and model.continue_text(b"a", 0) == b""
    assert len(model.continue_text(TEXT, 40)) == 40


def test_a_generator_decides_what_is_written() -> None:
    model = language()
    one, two, other = (model.generate(3, 20, generator=random(seed)) for seed in (0, 0, 1))
    assert one == two != other and len(set(one)) == 3


def test_what_is_kept_from_earlier_steps_changes_nothing() -> None:
    """Greedy writing against reading everything again for each byte."""
    model, text = language(), b"The sea"
    for _ in range(7):
        with torch.no_grad():
            text += bytes([int(model(torch.tensor([[*text, 0]]))[0][0, -1].argmax())])
    assert model.continue_text(b"The sea", 7) == text[7:]


def test_a_full_context_is_read_again_from_its_later_half() -> None:
    model = language()
    whole = model.continue_text(b"", 30)
    assert whole[16:24] == model.continue_text(whole[8:16], 8)


def test_cold_writing_is_the_likeliest() -> None:
    model = language()
    assert model.continue_text(b"The", 9, random(), temperature=1e-4) == model.continue_text(b"The", 9)


def test_draws_follow_the_probabilities() -> None:
    """Two bytes of even odds, all others hopeless; at a temperature of a half 3:1 becomes 9:1."""
    model = uniform()
    with torch.no_grad():
        model.head.bias.fill_(-30)
        model.head.bias[[97, 98]] = torch.tensor([math.log(3.0), 0.0])
    plain, cold = (b"".join(model.generate(400, 5, generator=random(), temperature=t)) for t in (1.0, 0.5))
    assert set(plain) == {97, 98}
    assert plain.count(b"a") / len(plain) == pytest.approx(0.75, abs=0.04)
    assert cold.count(b"a") / len(cold) == pytest.approx(0.9, abs=0.03)


def test_a_model_from_the_end_continues_to_the_left() -> None:
    forward, backward = language(), language(reverse=True)
    assert backward.continue_text(b"abc", 6) == forward.continue_text(b"cba", 6)[::-1]
    assert backward.generate(2, 8, generator=random()) == [t[::-1] for t in forward.generate(2, 8, generator=random())]


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="2 lengths for 3 texts"):
        language().generate(3, [1, 2], generator=random())
    with pytest.raises(ValueError, match=r"temperature is 0\.0; it must be above 0"):
        language().generate(1, 2, generator=random(), temperature=0.0)


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("vocabulary", [None, TOKENS], ids=["bytes", "tokens"])
def test_a_saved_model_is_the_same(tmp_path: Path, vocabulary: TokenVocabulary | None, reverse: bool) -> None:
    model = language(vocabulary, reverse)
    model.save_pretrained(tmp_path)
    again = LanguageModel.from_pretrained(tmp_path)
    assert again.config == model.config and again.reverse == reverse and not again.training
    assert np.array_equal(again.bits([TEXT])[0], model.bits([TEXT])[0])
    assert again.continue_text(TEXT, 20) == model.continue_text(TEXT, 20)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_model_is_refused(tmp_path: Path, name: str) -> None:
    language(TOKENS).save_pretrained(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"train (it|the tokenizer) again"):
        LanguageModel.from_pretrained(tmp_path)
    (tmp_path / name).unlink()
    if name != "tokenizer.json":
        with pytest.raises(ValueError, match="holds no whole language model"):
            LanguageModel.from_pretrained(tmp_path)
