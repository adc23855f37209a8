"""What flows learn from: hidden windows, their ends, and the vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.build import TEXTS, bytes_batch, level_config, losses, model, random, segments_of
from zonkey import Zonkey
from zonkey.data import Corpus
from zonkey.existence import NEVER
from zonkey.flow import Candidates, Flow, expected, recognised, scores, vocabulary_loss
from zonkey.level import flow_loss
from zonkey.sphere import SAME, sphere_noise
from zonkey.train import vocabulary
from zonkey.train.vocabulary import Tally, remember


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
    config = built.config.flow.model_copy(update={"rows": 200, "self_condition": 0.0})
    _, given = asked(built, lambda x, t, estimate, known: x, config)
    times = torch.cat([t.flatten() for _, t, _, _ in given])
    assert times.min() >= config.least_noise and times.max() == 1
    assert 0.65 < (times == 1).float().mean() < 0.85
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


def test_a_flow_is_asked_for_the_candidate_that_is_the_truth() -> None:
    """Width 4, so logits are halves of inner products: 1 for the truth and 0 for the other one."""
    truth, other = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0, 0.0]])
    asked, candidates = torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.cat([truth, other])
    cases = [
        (truth, [0.0, 0.0], -math.log(math.e / (math.e + 1))),
        (1.01 * truth + 0.1 * other, [0.0, 0.0], -math.log(math.e / (math.e + 1))),  # nearly
        (truth, [math.log(3.0), math.log(5.0)], -math.log(3 * math.e / (3 * math.e + 5))),  # each as often as seen
        (truth + other, [0.0, 0.0], 0.0),  # neither: nothing is asked
    ]
    for wanted, prior, nats in cases:
        found = vocabulary_loss(asked, recognised(wanted, candidates), Candidates(candidates, torch.tensor(prior)))
        torch.testing.assert_close(found, torch.tensor([nats]), atol=1e-5, rtol=1e-5)


def test_a_vector_is_recognised_by_its_direction_in_any_precision() -> None:
    vectors = sphere_noise((40, 64), random())
    noise = sphere_noise((40, 64), random(1))
    x = torch.stack([0.5 * vectors, vectors + 0.1 * noise, vectors + 0.4 * noise], dim=1)  # cosines 1, 0.995, 0.93
    wanted = torch.arange(40)[:, None].expand(40, 3).clone()
    wanted[:, 2] = -1
    assert torch.equal(recognised(x, vectors), wanted)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(recognised(x, vectors), wanted)


def test_what_is_no_candidate_is_not_counted() -> None:
    """Of two bytes one is a candidate: the mean is over that one."""
    built = model(1)
    text = built._byte_truth(*bytes_batch(["abab"])).x
    flow, level = built.levels[0].flow, built.levels[0]
    _, segments = level.split(text, torch.tensor([4]))
    own = Candidates(torch.stack([text[0, 0], flow.end]), torch.zeros(2))
    flow.forward = lambda x, t, estimate, known, start=0: torch.zeros_like(x)
    loss = flow_loss(level, built.config.flow, text, segments, own, random())
    assert float(loss) == pytest.approx(math.log(2), abs=1e-6)


def test_where_none_is_right_the_one_that_stands_for_these_is_asked_for() -> None:
    """Of "abab" only "a" is a candidate, and "b" is unknown: of five positions, the end included, two are. Who asks for
    nothing finds all as likely as they are common."""
    built = model(1)
    text = built._byte_truth(*bytes_batch(["abab"])).x
    flow, level = built.levels[0].flow, built.levels[0]
    segments = segments_of(torch.full((1, 4), -30.0), torch.tensor([4]), level.config.window, None)
    unknown = sphere_noise((16,), random())
    prior = torch.tensor([0.0, math.log(6.0), 0.0])
    own = Candidates(torch.stack([text[0, 0], unknown, flow.end]), prior, unknown=1)
    flow.forward = lambda x, t, estimate, known, start=0: torch.zeros_like(x)
    loss = flow_loss(level, built.config.flow, text, segments, own, random())
    assert float(loss) == pytest.approx((3 * math.log(8) + 2 * math.log(8 / 6)) / 5, abs=1e-6)
    assert own.certain.prior.tolist() == [0.0, pytest.approx(NEVER), 0.0]


def test_what_a_vector_means_is_heard_where_it_is_known_and_nowhere_else() -> None:
    """A meaning of entry 3 changes what is asked for after that entry, read once or again, and after no other; that of
    the entry before the last is heard where no other is known."""
    torch.manual_seed(0)
    flow = Flow(level_config(width=16, heads=2, window=7), 1, 8)
    meaning = flow.meaning
    assert meaning is not None and not meaning.any(), "at first all say what they look like"
    hidden, guess, t = sphere_noise((2, 1, 16), random()), torch.zeros(2, 1, 16), torch.ones(2, 1)
    known = torch.stack([1.001 * flow.vocabulary[3], sphere_noise((16,), random(1))])[:, None]

    def answers():
        seen = flow.read(known, flow.unread, 0)
        return flow(hidden, t, guess, known, 1), flow(hidden, t, guess, known, 1, seen)

    before = answers()
    with torch.no_grad():
        meaning[3] = sphere_noise((16,), random(2))
    middle = answers()
    for old, new in zip(before, middle, strict=True):
        assert (old[0] - new[0]).abs().max() > 1e-2 and torch.equal(old[1], new[1])
    with torch.no_grad():
        meaning[-2] = sphere_noise((16,), random(3))
    for old, new in zip(middle, answers(), strict=True):
        assert (old[1] - new[1]).abs().max() > 1e-2 and torch.equal(old[0], new[0])


def test_a_flow_asks_for_a_candidate_by_what_it_looks_like_and_means() -> None:
    vectors, meaning = torch.eye(2, 4), torch.tensor([[0.0, 0.0, 6.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    candidates = Candidates(vectors, torch.zeros(2), meaning)
    asked = torch.tensor([[0.0, 2.0, 1.0, 0.0]])
    torch.testing.assert_close(scores(asked, candidates), torch.tensor([[3.0, 1.0]]))
    torch.testing.assert_close(expected(asked, candidates) @ vectors.T, scores(asked, candidates).softmax(dim=-1))


def test_flows_learn_what_vectors_mean(corpus: Path) -> None:
    built = model(2)
    remember(built, Corpus(corpus, "train"), seed=0)
    built(*bytes_batch(TEXTS), losses(), random(), only="flow").loss.backward()
    learned = built.levels[1].flow.meaning.grad
    assert learned.isfinite().all() and learned.any()
    assert built.levels[0].flow.meaning is None, "bytes are what they are asked for by"


@given(st.lists(st.integers(0, 11), min_size=1, max_size=60), st.integers(1, 12), st.integers(1, 7))
def test_a_tally_counts_what_is_different(kinds: list[int], most: int, piece: int) -> None:
    """Noisy copies of orthogonal vectors, of any length, counted in pieces of any size."""
    noise = torch.randn(len(kinds), 12, generator=random(len(kinds)))
    x = (torch.eye(12)[kinds] + 0.02 * noise) * torch.arange(1, len(kinds) + 1)[:, None]
    tally = Tally(12, most)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "PIECE", piece)
        tally.add(x)
    kept = list(dict.fromkeys(kinds))[:most]
    counts = {kind: count for kind, count in Counter(kinds).items() if kind in kept}
    vectors, found = tally.commonest(most)
    assert dict(zip(vectors.argmax(dim=1).tolist(), found.tolist(), strict=True)) == counts
    assert found.tolist() == sorted(counts.values(), reverse=True)
    assert tally.commonest(1)[1].tolist() == [max(counts.values())]


def test_what_is_the_same_in_one_piece_and_new_fills_the_room_in_order() -> None:
    tally = Tally(2, 1)
    tally.add(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
    tally.add(torch.tensor([[0.0, 1.0], [1.0, 0.01]]))
    vectors, counts = tally.commonest(5)
    assert vectors.tolist() == [[1.0, 0.0]] and counts.tolist() == [3.0]


def test_a_vocabulary_holds_the_commonest_vectors_and_how_often_they_stand_in_text(corpus: Path) -> None:
    train, built = Corpus(corpus, "train"), model(2)
    flow, level = built.levels[1].flow, built.levels[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "READ", 10**9)  # all text
        patch.setattr(vocabulary, "TOLD", 10**9)
        remember(built, train, seed=3)
    every, ends = [], 0
    for row in range(len(train)):
        x, lengths, _ = built.inputs([train.text(row)], 1)
        _, segments = level.split(x, lengths)
        every.append(level.windows(x, segments)[segments.own])
        ends += int((segments.own.sum(dim=1) < 8).sum())
    unit = torch.nn.functional.normalize(torch.cat(every), dim=1)
    there = flow.prior[:-2] > NEVER / 2
    used = torch.nn.functional.normalize(flow.vocabulary[:-2][there], dim=1)
    assert torch.equal(flow.vocabulary[-1], flow.end) and flow.prior[-1] == pytest.approx(math.log(ends))
    assert torch.equal(flow.vocabulary[-2], flow.unknown)
    rest = len(unit) - float(flow.prior[:-2][there].exp().sum())
    assert float(flow.prior[-2].exp()) == pytest.approx(max(rest, 1), abs=0.5), "all others are unknown"
    likeness = used @ unit.T
    assert (likeness.amax(dim=1) > 0.9999).all(), "all stand in the text"
    assert (used @ used.T).fill_diagonal_(0.0).max() <= SAME + 1e-4, "each once"
    counts = flow.prior[:-2][there].exp()
    assert torch.equal(counts, counts.sort(descending=True).values)
    assert (counts <= (likeness > SAME - 1e-4).sum(dim=1) + 0.1).all()
    assert counts.sum() >= 0.99 * (likeness.amax(dim=0) > SAME).sum(), "all that is known is counted"


def test_a_vocabulary_is_the_same_for_the_same_seed(corpus: Path) -> None:
    train = Corpus(corpus, "train")
    built, again, other = model(2), model(2), model(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "READ", 2)  # a part of the text: which one is chance
        remember(built, train, seed=3), remember(again, train, seed=3), remember(other, train, seed=4)
    assert torch.equal(again.levels[1].flow.vocabulary, built.levels[1].flow.vocabulary)
    assert torch.equal(again.levels[1].flow.prior, built.levels[1].flow.prior)
    assert not torch.equal(other.levels[1].flow.vocabulary, built.levels[1].flow.vocabulary)
    assert [len(level.flow.vocabulary) for level in built.levels] == [0, built.config.flow.vocabulary]


def test_where_text_is_little_the_rest_is_never_expected(tmp_path: Path, corpus: Path) -> None:
    built = model(2)
    flow = built.levels[1].flow
    flow.vocabulary, flow.prior = sphere_noise((5000, flow.vocabulary.shape[1]), random()), torch.zeros(5000)
    flow.meaning = None
    built.config = built.config.model_copy(update={"flow": built.config.flow.model_copy(update={"vocabulary": 5000})})
    remember(built, Corpus(corpus, "validation"), seed=0)
    used = flow.prior > NEVER / 2
    assert 2 < used.sum() < 4000 and used[-1]
    chance = scores(4 * flow.vocabulary[~used][:9], built.candidates(1)).softmax(dim=-1)
    assert chance[:, ~used].sum() == 0 and chance.sum() == pytest.approx(9)


@pytest.mark.parametrize("block", [1, 2])
def test_windows_that_are_read_side_by_side_need_not_be_as_long(block: int) -> None:
    config = level_config(width=16, heads=2, window=8)
    torch.manual_seed(0)
    flow = Flow(config, block, 8)
    x, hidden, t = sphere_noise((3, 8, 16), random()), sphere_noise((3, block, 16), random(1)), torch.rand(3, block)
    start, none = torch.tensor([0, 2, 4]), torch.zeros(3, block, 16)
    alone = [flow(hidden[[row]], t[[row]], none[[row]], x[[row], :at], at) for row, at in enumerate(start.tolist())]
    seen, real = flow.unread, None
    for at in range(0, 4, block):
        seen = flow.read(x[:, at : at + block], seen, torch.full((3,), at), real)
        real = torch.arange(at + block) < start[:, None]
    together = flow(hidden, t, none, x[:, :0], start, seen, real)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)
