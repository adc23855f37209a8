"""What the predictor sees and learns, where it calls for a begin, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.model.build import bytes_batch, level_config, losses, model, only_losses, random
from zonkey.config import LossConfig
from zonkey.existence import real_positions
from zonkey.phases import foretelling, splitting
from zonkey.predictor import LIMIT, Predictor, _independence
from zonkey.sphere import sphere_noise
from zonkey.transformer import initialise

WIDTH = 16
SEES = 2
CODEBOOK = sphere_noise((256, WIDTH), random(7))


def predictor(seed: int = 0, **changes: Any) -> Predictor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Predictor(level_config(**{"width": WIDTH, "predictor_sees": SEES} | changes))
        initialise(made)
    return made


def read(text: str) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, which of them are real, and ids of one text."""
    tokens, lengths = bytes_batch([text])
    return CODEBOOK[tokens], real_positions(lengths, tokens.shape[1]), tokens


def taught(text: str, steps: int = 150, **changes: Any) -> Predictor:
    """A predictor that has read a text often."""
    made = predictor(**changes)
    x, real, ids = read(text)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        made(x, real, CODEBOOK, ids).loss.backward()
        optimizer.step()
    return made


@given(st.integers(1, 12), st.integers(0, 100))
def test_it_sees_the_few_positions_before(at: int, seed: int) -> None:
    made = predictor()
    x = sphere_noise((1, 16, WIDTH), random(seed))
    real = torch.ones(1, 16, dtype=torch.bool)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(_foretold(made, x, at), x)
    moved = gradient.abs().sum(dim=-1)[0].nonzero()[:, 0].tolist()
    assert moved == list(range(max(at - SEES, 0), at))
    assert not made(x, real, CODEBOOK, torch.zeros(1, 16, dtype=torch.long)).signal.requires_grad


def _foretold(made: Predictor, x: Tensor, at: int) -> Tensor:
    """What is foretold of one position, with the gradient that the predictor itself cuts off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "detach", lambda self: self)
        real = torch.ones(x.shape[:2], dtype=torch.bool)
        caught: list[Tensor] = []
        hook = made.out.register_forward_hook(lambda *call: caught.append(call[-1]))
        made(x, real, CODEBOOK, torch.zeros(x.shape[:2], dtype=torch.long))
        hook.remove()
    return caught[0][-1, at].sum()  # of the widest view


def test_no_gradient_reaches_what_it_reads() -> None:
    x, real, ids = read("a text to read")
    x, codebook = x.clone().requires_grad_(), CODEBOOK.clone().requires_grad_()
    made = predictor()
    made(x, real, codebook, ids).loss.backward()
    assert x.grad is None and codebook.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())


def test_sampled_candidates_give_the_same_as_a_codebook_of_unlike_vectors() -> None:
    torch.manual_seed(0)
    codebook = torch.linalg.qr(torch.randn(WIDTH, WIDTH)).Q  # no two alike
    ids = torch.randint(WIDTH, (2, 9), generator=random())
    x, real = codebook[ids], real_positions(torch.tensor([9, 6]), 9)
    by_id, sampled = predictor()(x, real, codebook, ids), predictor()(x, real, codebook)
    torch.testing.assert_close(by_id.loss, sampled.loss)
    torch.testing.assert_close(by_id.signal, sampled.signal, atol=1e-5, rtol=1e-4)


def test_an_untrained_network_of_zeros_expects_everything() -> None:
    made = predictor()
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    found = made(*read("every byte is as likely")[:2], CODEBOOK, read("every byte is as likely")[2])
    torch.testing.assert_close(found.loss, torch.tensor(math.log(256)))
    assert found.signal.abs().max() < 0.1  # nothing stands out


def test_the_first_letter_of_a_word_surprises() -> None:
    words = ["sea", "river", "moor", "hill", "bay", "ford", "glen", "wood", "lake", "isle"]
    text = " ".join(Random(0).choices(words, k=100))
    x, real, ids = read(text)
    surprise = taught(text)(x, real, CODEBOOK, ids).signal[0]
    first = torch.tensor([i > 0 and text[i - 1] == " " for i in range(len(text))])
    assert surprise[first].mean() > surprise[~first].mean() + 1
    assert surprise[first].min() > surprise[~first].median()
    assert surprise.abs().max() <= LIMIT


def test_what_came_counts_where_something_else_was_expected() -> None:
    text = "ab" * 40 + "ax" + "ab" * 10
    x, real, ids = read(text)
    surprise = taught(text)(x, real, CODEBOOK, ids).signal[0]
    assert surprise[text.index("x")] == surprise.max() > surprise.median() + 1


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_what_is_foretold_further_on_surprises_earlier(ahead: int) -> None:
    """After "abcd" comes one of eight letters; told so far ``ahead``, they surprise so many places before."""
    drawn = Random(0)
    text = "".join("abcd" + drawn.choice("stuvwxyz") for _ in range(40))
    x, real, ids = read(text)
    surprise = taught(text, predictor_ahead=[ahead])(x, real, CODEBOOK, ids).signal[0]
    by_place = torch.stack([surprise[5 + k : -10 : 5].mean() for k in range(5)])
    assert int(by_place.argmax()) == 5 - ahead
    assert by_place.max() > by_place.sort().values[-2] + 1
    assert not surprise[len(text) - ahead + 1 :].any(), "nothing follows there"


@given(st.integers(1, 12), st.integers(1, SEES))
def test_every_view_sees_so_many(at: int, sees: int) -> None:
    made, x = predictor(), sphere_noise((2, 16, WIDTH), random(at)).requires_grad_()
    seen = made._views(x).unflatten(0, (SEES, 2))[sees - 1]
    (gradient,) = torch.autograd.grad(seen[1, at].sum(), x)
    assert gradient.abs().sum(dim=-1).nonzero().tolist() == [[1, k] for k in range(max(at - sees, 0), at)]


def test_narrow_views_find_an_end_that_the_wide_one_foresees() -> None:
    """After "ury" always comes a full stop, after "y" alone many things do."""
    drawn = Random(0)
    text = "".join(drawn.choice(["by a ", "my o ", "yes ", "try i ", "fury. "]) for _ in range(120))
    x, real, ids = read(text)
    stops = torch.tensor([letter == "." for letter in text])
    made = taught(text, 300, predictor_sees=3)
    several = made(x, real, CODEBOOK, ids).signal[0][stops].mean()
    views = Predictor._views
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictor, "_views", lambda self, x: views(self, x)[-len(x) :].repeat(self.sees, 1, 1))
        widest = made(x, real, CODEBOOK, ids).signal[0][stops].mean()
    assert several > widest + 0.1


def test_independent_is_where_the_nearest_tells_as_much() -> None:
    """Worked by hand: two ahead of three views, nats of eight positions; the last has nothing two ahead.
    The first two do not count: nothing but the nearest stands before them."""
    came = torch.rand(2, 3, 1, 8, generator=random())
    came[0, 0, 0, 2:], came[0, 2, 0, 2:] = torch.tensor([3.0, 3, 3, 3, 3, 3]), torch.tensor([2.0, 1, 3, 3, 3, 1])
    came[1, 0, 0, 2:], came[1, 2, 0, 2:] = torch.tensor([2.0, 2, 2, 2, 2, 9]), torch.tensor([1.0, 1, 2, 2, 2, 9])
    came[:, 1] = 7.0  # views between do not count
    there = torch.ones(2, 1, 8, dtype=torch.bool)
    there[1, 0, 7] = False
    gain = torch.tensor([-1.0, -1.5, 0.0, 0.0, 0.0, -2.0])
    wanted = ((gain - gain.mean()) / (gain.std(correction=0) + 1e-3)).clamp(-LIMIT, LIMIT)
    around = torch.nn.functional.pad(wanted, (1, 1)).unfold(0, 3, 1).mean(dim=-1)
    wanted = ((around - around.mean()) / (around.std(correction=0) + 1e-3)).clamp(-LIMIT, LIMIT)
    found = _independence(came, there)[0]
    torch.testing.assert_close(found, torch.cat([torch.zeros(2), wanted]))
    assert int(found.argmax()) == 5, "in the middle of those that depend on nothing"


def test_uncertain_is_not_independent() -> None:
    """After "x" comes any of eight letters, whatever stood before; after "y", too, but that before the "y" tells it."""
    drawn, text = Random(0), ""
    while len(text) < 900:
        letter = drawn.choice("abcdefgh")
        text += drawn.choice([f"x{letter}.", f"{letter}y{letter}."])
    x, real, ids = read(text)
    made = taught(text, 500, predictor_sees=2, predictor_finds="independence")
    signal = made(x, real, CODEBOOK, ids).signal[0]
    after = {mark: torch.tensor([i > 0 and text[i - 1] == mark for i in range(len(text))]) for mark in "xy"}
    assert signal[after["x"]].mean() > signal[after["y"]].mean() + 1
    assert taught(text, 500)(x, real, CODEBOOK, ids).signal[0][after["y"]].mean() > 0, "though it is hard to foresee"


def test_several_positions_ahead_are_told_apart() -> None:
    text = "".join(Random(0).choices("abcdefgh", k=60))
    x, real, ids = read(text)
    one, two = (predictor(predictor_ahead=[ahead])(x, real, CODEBOOK, ids).loss for ahead in (1, 2))
    both = predictor(predictor_ahead=[1, 2])
    assert both.out.out_features == 2 * WIDTH
    with torch.no_grad():
        for number, ahead in enumerate((1, 2)):
            part = predictor(predictor_ahead=[ahead])
            both.inside.load_state_dict(part.inside.state_dict())
            both.out.weight[number * WIDTH : (number + 1) * WIDTH] = part.out.weight
            both.out.bias[number * WIDTH : (number + 1) * WIDTH] = part.out.bias
    torch.testing.assert_close(both(x, real, CODEBOOK, ids).loss, (one + two) / 2)


@pytest.mark.parametrize("finds", ["surprise", "independence"])
@pytest.mark.parametrize("ahead", [[1], [2, 3]])
def test_padding_has_no_part(ahead: list[int], finds: str) -> None:
    x, real, ids = read("short")
    made = predictor(predictor_ahead=ahead, predictor_finds=finds)
    longer = torch.nn.functional.pad(x, (0, 0, 0, 4))
    padded = made(longer, torch.nn.functional.pad(real, (0, 4)), CODEBOOK, torch.nn.functional.pad(ids, (0, 4)))
    alone = made(x, real, CODEBOOK, ids)
    torch.testing.assert_close(padded.loss, alone.loss)
    torch.testing.assert_close(padded.signal[:, :5], alone.signal, atol=1e-5, rtol=1e-4)
    assert not padded.signal[:, 5:].any()


# --- in a level ---------------------------------------------------------------------------------------------


def test_begins_are_drawn_to_what_surprises() -> None:
    zonkey = model(1)
    tokens, lengths = bytes_batch(["to be or not to be, that is the question", "a horse, a horse"])
    weights = only_losses("predict", "surprise")
    out = zonkey(tokens, lengths, weights, random())
    out.loss.backward()
    level = zonkey.levels[0]
    assert level.splitter.begin.weight.grad is not None and level.splitter.begin.weight.grad.abs().sum() > 0
    with torch.no_grad():
        for parameter in level.splitter.parameters():
            parameter -= 0.05 * parameter.grad if parameter.grad is not None else 0
    again = zonkey(tokens, lengths, weights, random())
    assert again.levels[0].losses.surprise < out.levels[0].losses.surprise


Phase = Callable[[LossConfig], LossConfig]
PHASES = [(foretelling, {"predictor"}), (splitting, {"predictor", "splitter", "codebook"})]


@pytest.mark.parametrize(("phase", "parts"), PHASES)
def test_predictor_and_splitter_are_trained_at_first(phase: Phase, parts: set[str]) -> None:
    zonkey = model(1)
    tokens, lengths = bytes_batch(["to be or not to be, that is the question"])
    out = zonkey(tokens, lengths, phase(losses()), random(), only=0)
    assert out.levels[0].losses.clean is None and out.levels[0].metrics.accuracy is None
    if phase is foretelling:
        torch.testing.assert_close(out.loss, losses().predict * out.levels[0].losses.predict)
    out.loss.backward()
    learned = [name for name, p in zonkey.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert {name.removeprefix("levels.0.").split(".")[0] for name in learned} == parts


def test_a_level_without_foresight_has_no_predictor() -> None:
    zonkey = model(1, foresight=0.0)
    assert zonkey.levels[0].predictor is None
    out = zonkey(*bytes_batch(["to be or not"]), losses(), random())
    assert out.levels[0].losses.predict is None and out.levels[0].losses.surprise is None
