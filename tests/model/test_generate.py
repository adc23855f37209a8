"""Sampling, infilling and the writing of gaps."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.build import model, random
from zonkey import Zonkey, generate, infill
from zonkey.flow import Candidates
from zonkey.generate import fill_gaps, sample
from zonkey.generate.markup import LONGEST_GAP, Gap, parse_gaps
from zonkey.generate.sampling import TRIES, nucleus
from zonkey.text import Latents

objectives = pytest.mark.parametrize("objective", ["flow", "ddmm"])


def with_sampler(built: Zonkey, **changes: float) -> Zonkey:
    """The model with another sampler."""
    built.config = built.config.model_copy(update={"sampler": built.config.sampler.model_copy(update=changes)})
    return built


plain = st.text(st.characters(blacklist_characters="{}", blacklist_categories=["Cs"]), max_size=20)


# --- generation -------------------------------------------------------------------------------------------


@objectives
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_texts_are_generated_at_every_level(objective: str, levels: int) -> None:
    built = model(levels, objective)
    for level in [None, *range(levels)]:
        for length in ("expected", "sampled"):
            texts = generate(built, 3, level=level, steps=2, length=length, seed=1)
            assert len(texts) == 3 and all(isinstance(text, str) and text for text in texts)
            longest = 8 ** ((levels - 1 if level is None else level) + 1)
            assert all(len(text) <= longest for text in texts)
    assert generate(built, 0) == []


@objectives
@pytest.mark.parametrize("length", ["expected", "sampled"])
def test_generation_follows_its_seed(objective: str, length: str) -> None:
    built = model(2, objective)
    before = torch.random.get_rng_state()
    one, again = (generate(built, 4, length=length, seed=7) for _ in range(2))
    assert one == again
    assert torch.equal(before, torch.random.get_rng_state())  # nothing is drawn from torch's own generator


@objectives
def test_every_step_is_watched(objective: str) -> None:
    built = model(2, objective)
    seen: list[tuple[float, list[str]]] = []
    texts = sample(built, 3, 1, 4, "expected", random(), lambda t, texts: seen.append((t, texts)))
    assert len(texts) == 3 and all(len(some) == 3 for _, some in seen)
    least = built.config.flow.least_noise if objective == "flow" else 0.0
    times = [1 - (1 - least) * step / 4 for step in range(4)]
    blocks = len(seen) // 4
    assert [t for t, _ in seen] == pytest.approx(times * blocks)
    assert 1 <= blocks <= (4 if objective == "flow" else 1)  # blocks of two in windows of eight


def knowing(built: Zonkey, level: int, wanted: torch.Tensor) -> list[tuple[int, ...]]:
    """The flow of ``level`` asks for these candidates (S, L); returns the shapes of what it was given."""
    flow, given = built.levels[level].flow, []

    def forward(x, t, estimate, known, start=0, seen=None):
        given.append((x.shape[1], known.shape[1], start))
        return 50 * built.candidates(level).vectors[wanted[:, start : start + x.shape[1]]]

    flow.forward = forward
    return given


def test_a_flow_that_knows_its_bytes_writes_them_up_to_the_end() -> None:
    built = model(1)
    end, rows = 256, [b"ab", b"abcdefgh", b"\x00"]
    wanted = torch.tensor([[*row, *[end] * (8 - len(row))] for row in rows])
    given = knowing(built, 0, wanted)
    assert sample(built, 3, 0, 2, "expected", random()) == ["ab", "abcdefgh", "\x00"]
    assert given == [(2, start, start) for start in (0, 0, 2, 2, 4, 4, 6, 6)]


def test_nothing_is_sampled_behind_the_end_of_all() -> None:
    built = model(1)
    given = knowing(built, 0, torch.tensor([[97, 256] + [98] * 6] * 2))
    assert generate(built, 2, steps=3) == ["a", "a"]
    assert len(given) == 3, "the end stood in the first block"


def test_the_end_cannot_come_first() -> None:
    built = model(1)
    knowing(built, 0, torch.full((1, 8), 256))
    assert len(sample(built, 1, 0, 1, "expected", random())[0]) == 1


def test_above_level_0_vectors_are_read_through_the_level_below() -> None:
    """Entries of the vocabulary are compressed text; what is sampled reads as they do."""
    built = model(2)
    latents = built.encode(["One two three four five six seven."], 0)
    flow = built.levels[1].flow
    flow.vocabulary[: latents.vectors.shape[1]] = latents.vectors[0]
    flow.vocabulary[-2:] = torch.stack([flow.unknown, flow.end])
    knowing(built, 1, torch.tensor([[2, 0, 1, *[len(flow.vocabulary) - 1] * 5]]))
    some = Latents(0, latents.vectors[:, [2, 0, 1]], torch.tensor([3]))
    assert sample(built, 1, 1, 2, "expected", random()) == built.decode(some)


@pytest.mark.parametrize(("stochasticity", "same"), [(0.0, True), (0.6, False)])
def test_only_a_stochastic_flow_draws_on_the_way(stochasticity: float, same: bool) -> None:
    """The generator is seeded anew after the first noise of a block: what differs afterwards was drawn on the way."""
    built, ends = with_sampler(model(1), choice="likeliest", stochasticity=stochasticity), []
    flow, ask = built.levels[0].flow, built.levels[0].flow.forward
    for seed in (1, 2):
        source, seen = random(0), []

        def forward(x, *rest):
            seen.append(x)  # noqa: B023
            source.manual_seed(seed if len(seen) % 4 else len(seen))  # noqa: B023
            return ask(x, *rest)

        flow.forward = forward
        sample(built, 3, 0, 4, "expected", source)
        ends.append(torch.cat(seen[:4]))
    assert torch.allclose(*ends, atol=1e-3) == same


def test_a_drawn_choice_is_as_likely_as_the_flow_says() -> None:
    """A flow that finds "a" three times as likely as "b", and nothing else: in one step, in several, and at half the
    temperature, where the odds are squared."""
    for steps, temperature, share in ((1, 1.0, 0.75), (3, 1.0, 0.75), (1, 0.5, 0.9)):
        built = with_sampler(model(1), choice="drawn", temperature=temperature, nucleus=1.0)
        prior = torch.full((257,), -1e9)
        prior[97:99] = torch.tensor([math.log(3.0), 0.0])
        vectors = built.candidates(0).vectors
        built.candidates = lambda level: Candidates(vectors, prior)  # noqa: B023
        built.levels[0].flow.forward = lambda x, *rest: torch.zeros_like(x)
        text = "".join(sample(built, 300, 0, steps, "expected", random()))
        assert set(text) == {"a", "b"} and text.count("a") / len(text) == pytest.approx(share, abs=0.03)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=12), st.floats(0.01, 1))
def test_a_nucleus_is_the_fewest_that_have_its_share(weights: list[float], share: float) -> None:
    chance = torch.tensor([weights], dtype=torch.float64)
    chance = chance / chance.sum()
    kept = nucleus(chance, share)
    assert torch.equal(kept[kept > 0], chance[kept > 0]) and float(kept.sum()) > share - 1e-9
    left = chance[kept == 0]
    assert not left.numel() or float(left.max()) <= float(kept[kept > 0].min())
    assert float(kept.sum() - kept[kept > 0].min()) < share + 1e-9


def test_what_is_drawn_is_noised_again_for_the_next_step() -> None:
    """The second step sees what the first drew (all ask for "a" alone) at the second noise level."""
    built, seen = with_sampler(model(1), choice="drawn", nucleus=1.0), []
    wanted = built.candidates(0).vectors[97]

    def forward(x, *rest):
        seen.append(x)
        return (50 * wanted).expand(x.shape)

    built.levels[0].flow.forward = forward
    sample(built, 50, 0, 2, "expected", random())
    t = 1 - (1 - built.config.flow.least_noise) / 2
    angle = torch.cosine_similarity(seen[1], wanted.expand(seen[1].shape), dim=-1).acos() / (math.pi / 2)
    assert float(angle.detach().mean()) == pytest.approx(t, abs=0.03) and float(angle.detach().std()) < 0.2
    assert torch.pdist(seen[1][:, 0]).min() > 0.1, "every text has noise of its own"


@pytest.mark.parametrize(("likely", "tries"), [(0.5, True), (1.0, False)])
def test_a_text_that_asks_for_an_unknown_vector_is_drawn_anew(likely: float, tries: bool) -> None:
    """Half of what is asked for is unknown, or all: then known vectors are taken in the end."""
    built = with_sampler(model(2), choice="drawn", nucleus=1.0)
    flow, given, read = built.levels[1].flow, [], []
    flow.vocabulary[-2:] = torch.stack([flow.unknown, flow.end])
    prior = torch.full((len(flow.vocabulary),), -1e9)
    prior[[3, len(prior) - 1]], prior[-2] = math.log((1 - likely) / 2 + 1e-6), math.log(likely)
    flow.prior.copy_(prior)
    flow.forward = lambda x, *rest: (given.append(len(x)), torch.zeros_like(x))[1]
    decode = built.decode
    built.decode = lambda latents, **rest: (read.append(latents), decode(latents, **rest))[1]
    texts = sample(built, 40, 1, 1, "expected", random())
    assert len(texts) == 40 == sum(len(latents.vectors) for latents in read) and given[0] == 40
    assert (given[1] < 40 or min(given) < 40) if tries else given[: TRIES + 1] == [40] * (TRIES + 1)
    for latents in read:
        inside = torch.arange(latents.vectors.shape[1]) < latents.lengths[:, None]
        assert not (latents.vectors == flow.unknown).all(dim=-1)[inside].any()


@pytest.mark.parametrize("told", [0.0, 0.5])
def test_a_flow_hears_its_estimate_if_it_did_in_training(told: float) -> None:
    built, seen = model(1), []
    config = built.config.flow.model_copy(update={"self_condition": told})
    built.config = built.config.model_copy(update={"flow": config})
    ask = built.levels[0].flow.forward

    def forward(x, t, estimate, *rest):
        seen.append(bool(estimate.any()))
        return ask(x, t, estimate, *rest)

    built.levels[0].flow.forward = forward
    sample(built, 2, 0, 3, "expected", random())
    assert seen[:3] == [False, told > 0, told > 0]


def sampled(objective: str, seed: int) -> torch.Tensor:
    """The last vectors that the sampler sees: what untrained networks make of them may read alike."""
    built, seen = model(1, objective), []
    part = built.levels[0].flow if objective == "flow" else built.levels[0].compressor
    part.register_forward_hook(lambda part, given, out: seen.append(out))
    sample(built, 8, 0, 1, "expected", random(seed))
    return seen[-1].flatten(1)


@objectives
def test_other_seeds_give_other_samples(objective: str) -> None:
    one, again, other = (sampled(objective, seed) for seed in (7, 7, 8))
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-2)


@objectives
def test_more_texts_do_not_share_their_noise(objective: str) -> None:
    assert torch.pdist(sampled(objective, 0)).min() > 1e-3


def test_sampled_lengths_vary() -> None:
    built = model(1, "ddmm")
    texts = generate(built, 40, steps=1, length="sampled")
    assert len({len(text) for text in texts}) > 2


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n": -1}, "n is -1; it must be 0 or more"),
        ({"n": 1, "steps": 0}, "steps is 0; at least 1 is needed"),
        ({"n": 1, "length": "long"}, "length is 'long'; choose 'expected' or 'sampled'"),
        ({"n": 1, "level": 2}, "level is 2; this model has levels 0 to 1"),
        ({"n": 0, "level": -1}, "level is -1; this model has levels 0 to 1"),
    ],
)
def test_requests_that_make_no_sense_are_refused(arguments: dict, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        generate(model(2), **arguments)


# --- gaps -------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(plain, st.integers(1, LONGEST_GAP), st.none()), max_size=8))
def test_gaps_are_read_as_they_are_written(parts: list[str | int | None]) -> None:
    """Texts that stand side by side become one, empty ones none."""
    written, want = "", []
    for part in parts:
        if isinstance(part, str):
            written += part
            if part and want and isinstance(want[-1], str):
                want[-1] += part
            elif part:
                want.append(part)
        else:
            written += "{gap}" if part is None else f"{{gap:{part}}}"
            want.append(Gap(part))
    if any(isinstance(part, Gap) for part in want):
        assert parse_gaps(written) == tuple(want)
    else:
        with pytest.raises(ValueError, match="no gap"):
            parse_gaps(written)


@given(st.text(st.sampled_from("{gap:}1 "), max_size=25))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    try:
        parts = parse_gaps(text)
    except ValueError as error:
        assert "\n" not in str(error) and "gap" in str(error)
        return
    back = "".join(p if isinstance(p, str) else "{gap}" if p.length is None else f"{{gap:{p.length}}}" for p in parts)
    assert re.sub(r"\{gap:0*(?=\d)", "{gap:", text) == back


@pytest.mark.parametrize(
    "text",
    ["{gap:0}", "a{gap:}b", "{gap:-3}", "{gap:x}", "{gap:1.5}", "{gap: 3}", "{gap", "a {gap:3", "{gaps}",
     "{gap:3}{gap", f"{{gap:{LONGEST_GAP + 1}}}", "{gap:²}", "{gap:٣}", "a {gap:3} {gap:"],
)  # fmt: skip
def test_malformed_gaps_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed gap"):
        parse_gaps(text)


# --- infilling --------------------------------------------------------------------------------------------


GAPS = [
    "The {gap:6} of France", "{gap:5} begins", "It ends in {gap:4}", "{gap:3} and {gap:4}, {gap:2}",
    "{gap:12}", "바다{gap:7}🌊", "{gap:4}{gap:5} two in a row", "a {gap:40} long one",
]  # fmt: skip


@objectives
@pytest.mark.parametrize("text", GAPS)
def test_known_text_is_kept_and_gaps_are_filled(objective: str, text: str) -> None:
    filled = infill(model(2, objective), text, steps=2, seed=3)
    parts = parse_gaps(text)
    pattern = "".join(re.escape(part) if isinstance(part, str) else "(.+)" for part in parts)
    assert re.fullmatch(pattern, filled, re.DOTALL)
    if "\ufffd" not in filled:  # shown for bytes that are no text
        want = sum(len(part.encode()) if isinstance(part, str) else part.length for part in parts)
        assert len(filled.encode()) == want


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("text", ["The {gap} of France", "{gap}", "{gap} and {gap}", "{gap:3} or {gap}"])
def test_gaps_of_free_length_are_filled(levels: int, text: str) -> None:
    filled = infill(model(levels), text, steps=1)
    known = [part for part in parse_gaps(text) if isinstance(part, str)]
    at = 0
    for part in known:
        at = filled.index(part, at) + len(part)
    assert len(filled.encode()) > sum(len(part.encode()) for part in known)


@objectives
def test_infilling_follows_its_seed(objective: str) -> None:
    built = model(2, objective)
    text = "The {gap:24} of France, and {gap:20} too"
    one, again, other = (infill(built, text, steps=2, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


@settings(max_examples=8)
@given(st.text("abc é", min_size=1, max_size=12), st.integers(1, 9), st.text("xyz €", min_size=1, max_size=12))
def test_what_stands_around_a_gap_is_never_touched(before: str, size: int, after: str) -> None:
    filled = infill(model(2), f"{before}{{gap:{size}}}{after}", steps=1)
    assert filled.startswith(before) and filled.endswith(after)
    assert len(filled) > len(before) + len(after)


@pytest.mark.parametrize(
    ("text", "steps", "says"),
    [
        ("no gap here", None, "the text has no gap"),
        ("a {gap:x} b", None, "malformed gap"),
        ("a {gap:3} b", 0, "steps is 0; at least 1 is needed"),
        ("{gap:1}", None, "has 1 bytes; this model takes 2 to 4096"),
        ("a" * 4090 + "{gap:9}", None, "has 4099 bytes; this model takes 2 to 4096"),
    ],
)
def test_infilling_that_makes_no_sense_is_refused(text: str, steps: int | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        infill(model(2), text, steps=steps)


@objectives
def test_gaps_of_many_texts_are_filled_side_by_side(objective: str) -> None:
    built = model(2, objective)
    texts = [[b"The ", 6, b" of France"], [5, "바다".encode()[:4]], [b"It ends in ", 4], [3, b" and ", 4, b", ", 2]]
    filled = fill_gaps(built, texts, steps=2, seed=3)
    for text, result in zip(texts, filled, strict=True):
        pattern = b"".join(re.escape(part) if isinstance(part, bytes) else b".{%d}" % part for part in text)
        assert re.fullmatch(pattern, result, re.DOTALL)
    assert filled == fill_gaps(built, texts, steps=2, seed=3) != fill_gaps(built, texts, steps=2, seed=4)


def test_one_text_is_filled_as_infill_does() -> None:
    built, text = model(2), "The {gap:6} of France"
    (filled,) = fill_gaps(built, [[b"The ", 6, b" of France"]], steps=2, seed=1)
    assert (
        b"The " + filled[4:10].decode(errors="replace").encode() + b" of France"
        == infill(built, text, steps=2, seed=1).encode()
    )


@pytest.mark.parametrize(
    ("texts", "steps", "says"),
    [
        ([], None, "at least one text"),
        ([[b"a", 0]], None, "a gap has 0 bytes"),
        ([[b"ab", 2]], 0, "steps is 0"),
        ([[b"ab", 2], [1]], None, "has 1 bytes; this model takes 2 to 4096"),
    ],
)
def test_gaps_that_make_no_sense_are_refused(texts: list, steps: int | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fill_gaps(model(2), texts, steps=steps)
