"""Many texts side by side, against the same one by one."""

from __future__ import annotations

import pytest
import torch

import zonkey.baselines.continuing
from tests.baselines.build import language, random
from zonkey.baselines import LanguageModel, TokenVocabulary, continuer

TEXTS = [b"The sea", b"A hill", b"", b"The sun", b"a river runs to the sea, and on", b"An elm"]


@pytest.mark.parametrize("count", [0, 1, 9, 40])
@pytest.mark.parametrize("model", [language(), language(reverse=True)], ids=["left", "right"])
def test_the_likeliest_are_those_of_each_alone(model: LanguageModel, count: int) -> None:
    assert continuer(model)(TEXTS, count) == [model.continue_text(text, count) for text in TEXTS]


def test_texts_of_one_length_are_written_together_but_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = language(), []
    write = model._write
    monkeypatch.setattr(
        model, "_write", lambda prompts, counts, choose: asked.append(len(prompts)) or write(prompts, counts, choose)
    )
    assert len(continuer(model)(TEXTS, 4)) == 6 and sorted(asked) == [1, 1, 2, 2]
    asked.clear()
    monkeypatch.setattr(zonkey.baselines.continuing, "BATCH_BYTES", 11)  # one text of 6 bytes, 4 more and its begin
    assert continuer(model)(TEXTS, 4) == [model.continue_text(text, 4) for text in TEXTS]
    assert len(asked) == 6 + 6
    assert continuer(model)([], 4) == []


def test_a_generator_decides_what_is_written() -> None:
    model = language()
    one, two, other = (continuer(model, random(seed))([b"The"] * 8, 12) for seed in (0, 0, 1))
    assert one == two != other and len(set(one)) > 1
    cold = continuer(model, random(), temperature=1e-4)([b"The"] * 3, 9)
    assert cold == [model.continue_text(b"The", 9)] * 3
    with pytest.raises(ValueError, match=r"temperature is 0\.0; it must be above 0"):
        continuer(model, torch.Generator(), temperature=0.0)


def test_tokens_of_other_sizes_have_no_place_beside_one_another() -> None:
    with pytest.raises(ValueError, match="a model of 259 tokens is not continued side by side"):
        continuer(language(TokenVocabulary([("t", "h"), ("th", "e"), (" ", "s")])))
