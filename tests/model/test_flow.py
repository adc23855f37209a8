"""What flows learn from: hidden windows, their ends, and the vocabulary."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.model.build import TEXTS, bytes_batch, level_config, losses, model, random
from zonkey import Zonkey
from zonkey.data import Corpus
from zonkey.flow import Flow
from zonkey.level import flow_loss
from zonkey.losses import SAME
from zonkey.sphere import sphere_noise
from zonkey.train.vocabulary import remember


def asked(built: Zonkey, answer, config=None):
    """Loss of level 0 on TEXTS where its flow gives ``answer(x, t, estimate, known)``, and what it was given."""
    tokens, lengths = bytes_batch(TEXTS)
    level, given = built.levels[0], []

    def forward(x, t, estimate, known, start=0):
        given.append((x, t, estimate, known))
        return answer(x, t, estimate, known)

    level.flow.forward = forward
    truth = built._byte_truth(tokens, lengths)
    _, segments = level.split(truth.x, truth.lengths)
    config = config or built.config.flow
    loss = flow_loss(level, config, truth.x, segments, built.candidates(0), random())
    return float(loss.detach()), given


def test_who_asks_for_the_truth_has_no_loss_and_who_knows_nothing_has_that_of_a_guess() -> None:
    built = model(1)
    right, _ = asked(built, lambda x, t, estimate, known: 200 * known)
    assert right == pytest.approx(0, abs=1e-4)
    guess, _ = asked(built, lambda x, t, estimate, known: torch.zeros_like(x))
    assert guess == pytest.approx(torch.log(torch.tensor(257.0)).item(), abs=1e-4)


def test_the_first_end_counts_and_nothing_behind_it() -> None:
    """A flow that is right but for the end pays for one position a segment; windows are cut where the longest ends."""
    built = model(1)
    end = built.levels[0].flow.end

    def blind_to_ends(x, t, estimate, known):
        return torch.where((known == end).all(dim=-1, keepdim=True), 0.0, 200 * known)

    loss, given = asked(built, blind_to_ends)
    parts = [known for _, _, estimate, known in given if estimate.any() or len(known) == len(estimate)]
    tokens, lengths = bytes_batch(TEXTS)
    truth = built._byte_truth(tokens, lengths)
    _, segments = built.levels[0].split(truth.x, truth.lengths)
    sizes = segments.own.sum(dim=1)
    assert {part.shape[1] for part in parts} <= {min(int(size) + 1, 8) for size in sizes.unique()}
    assert 0 < loss < torch.log(torch.tensor(257.0))


def test_noise_levels_are_those_of_blocks_and_often_1() -> None:
    built = model(1)
    config = built.config.flow.model_copy(update={"rows": 400, "self_condition": 0.0})
    _, given = asked(built, lambda x, t, estimate, known: x, config)
    times = torch.cat([t.flatten() for _, t, _, _ in given])
    assert times.min() >= config.least_noise and times.max() == 1
    assert 0.15 < (times == 1).float().mean() < 0.4
    for _, t, _, _ in given:
        for start in range(0, t.shape[1] - 1, 2):
            assert torch.equal(t[:, start], t[:, start + 1])


def test_some_are_told_what_was_expected() -> None:
    built = model(1)
    config = built.config.flow.model_copy(update={"self_condition": 0.5})
    _, given = asked(built, lambda x, t, estimate, known: x, config)
    first, second = given[0], given[1]
    assert not first[2].any() and len(first[0]) == len(second[0]) // 2
    told = second[2].flatten(1).any(dim=1)
    assert told[: len(first[0])].all() and not told[len(first[0]) :].any()


def test_a_window_that_leaves_the_noise_together_knows_nothing() -> None:
    built = model(1)
    config = built.config.flow.model_copy(update={"block": 8})
    built.levels[0].flow.block = 8
    _, given = asked(built, lambda x, t, estimate, known: x, config)
    assert all(known.shape[1] == 0 for *_, known in given)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_what_is_read_once_answers_as_what_is_read_again(block: int) -> None:
    """Sampling keeps keys and values of known vectors; blocks that divide the window unevenly, too."""
    config = level_config(width=16, heads=2, window=7)
    torch.manual_seed(0)
    flow = Flow(config, block, 8)
    x, seen = sphere_noise((3, 7, 16), random()), flow.unread
    for start in range(0, 7, block):
        size = min(block, 7 - start)
        hidden, guess = sphere_noise((3, size, 16), random(start)), sphere_noise((3, size, 16), random(start + 1))
        t = torch.rand(3, size, generator=random(start))
        again = flow(hidden, t, guess, x[:, :start], start)
        torch.testing.assert_close(flow(hidden, t, guess, x[:, :start], start, seen), again, atol=1e-5, rtol=1e-4)
        seen = flow.read(x[:, start : start + size], seen, start)


def test_no_gradient_reaches_what_is_hidden() -> None:
    built = model(2)
    built(*bytes_batch(TEXTS), losses(), random(), only="flow").loss.backward()
    assert all(p.grad is None or not p.grad.any() for name, p in built.named_parameters() if ".flow." not in name)


def test_a_vocabulary_holds_vectors_as_often_as_text_does(corpus: Path) -> None:
    train, built = Corpus(corpus, "train"), model(2)
    remember(built, train, seed=3)
    flow, level = built.levels[1].flow, built.levels[1]
    entries = len(flow.vocabulary)
    every = []
    for row in range(len(train)):
        x, lengths, _ = built.inputs([train.text(row)], 1)
        _, segments = level.split(x, lengths)
        every += [level.windows(x, segments)[segments.own]]
        every += [flow.end.expand(int((segments.own.sum(dim=1) < 8).sum()), -1)]
    known = torch.cat(every)
    nearest = torch.nn.functional.cosine_similarity(flow.vocabulary[:, None], known[None], dim=-1).amax(dim=1)
    assert (nearest > 0.999).all()
    ends = (torch.nn.functional.cosine_similarity(flow.vocabulary, flow.end, dim=-1) > SAME).float().mean()
    share = (torch.nn.functional.cosine_similarity(known, flow.end, dim=-1) > SAME).float().mean()
    assert ends == pytest.approx(float(share), abs=4 * (float(share) / entries) ** 0.5)
    again, other = model(2), model(2)
    remember(again, train, seed=3), remember(other, train, seed=4)
    assert torch.equal(again.levels[1].flow.vocabulary, flow.vocabulary)
    assert not torch.equal(other.levels[1].flow.vocabulary, flow.vocabulary)
    assert Counter(map(len, (level.flow.vocabulary for level in built.levels))) == {0: 1, entries: 1}


def test_a_vocabulary_is_filled_from_little_text(tmp_path: Path, corpus: Path) -> None:
    built = model(2)
    flow = built.levels[1].flow
    flow.vocabulary = torch.zeros(5000, flow.vocabulary.shape[1])
    built.config = built.config.model_copy(update={"flow": built.config.flow.model_copy(update={"vocabulary": 5000})})
    few = Corpus(corpus, "validation")
    remember(built, few, seed=0)
    assert flow.vocabulary.norm(dim=1).min() > 1
