"""The stack of levels: text up and down, segments, types, doors, saving and loading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.model.build import TEXTS, acquainted, bytes_batch, config, losses, model, random
from zonkey import Latents, Segmentation, Zonkey
from zonkey.level import Level
from zonkey.sphere import radius
from zonkey.text import to_tokens

texts = st.text(min_size=1, max_size=40).filter(lambda text: _bytes(text) >= 2)
some = pytest.mark.parametrize("levels", [1, 2, 3])


def _bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


# --- up ---------------------------------------------------------------------------------------------------


@given(st.lists(texts, min_size=1, max_size=4))
def test_every_text_survives_bytes_and_vectors(rows: list[str]) -> None:
    built = model(1)
    tokens, lengths = to_tokens(rows, 4096)
    assert [bytes(row[:n].tolist()).decode() for row, n in zip(tokens, lengths.tolist(), strict=True)] == rows
    assert built.read(*built.embed(rows)) == rows


@some
def test_latents_have_their_shapes(levels: int) -> None:
    built = model(levels)
    for level in range(levels):
        latents = built.encode(TEXTS, level)
        assert isinstance(latents, Latents) and latents.level == level and len(latents) == len(TEXTS)
        width = 16 * 2 ** (level + 1)
        batch, longest, size = latents.vectors.shape
        assert (batch, size, longest) == (len(TEXTS), width, int(latents.lengths.max()))
        real = torch.arange(longest) < latents.lengths[:, None]
        norms = latents.vectors.norm(dim=-1)
        torch.testing.assert_close(norms[real], torch.full_like(norms[real], radius(width)))
        assert (norms[~real] == 0).all()
    assert torch.equal(built.encode(TEXTS).vectors, latents.vectors)


@settings(max_examples=10)
@given(st.lists(st.text("abc ,.", min_size=2, max_size=50), min_size=2, max_size=4), st.integers(0, 3))
def test_a_text_is_encoded_alike_in_any_company(rows: list[str], seed: int) -> None:
    """A segment that is as good as undecided could be cut another way by rounding, so none is here."""
    built = model(3, seed=seed)
    for level in range(3):
        together = built.encode(rows, level)
        for at, row in enumerate(rows):
            alone = built.encode([row], level)
            count = int(alone.lengths[0])
            assert int(together.lengths[at]) == count
            torch.testing.assert_close(together.vectors[at, :count], alone.vectors[0], atol=1e-3, rtol=1e-3)


def test_the_width_of_the_padding_does_not_change_a_split() -> None:
    built = model(1)
    level: Level = built.levels[0]
    x, lengths = built.embed(TEXTS)
    wider = torch.nn.functional.pad(x, (0, 0, 0, 13), value=3.0)
    (_, narrow), (_, wide) = level.split(x, lengths), level.split(wider, lengths)
    for name in ("document", "start", "mask", "own", "share", "counts"):
        torch.testing.assert_close(getattr(narrow, name), getattr(wide, name))
    torch.testing.assert_close(level.compress(x, narrow), level.compress(wider, wide), atol=1e-5, rtol=1e-4)


@some
@pytest.mark.parametrize("text", [*TEXTS, "ab", "🌊" * 30, " " * 99])
def test_segmentations_point_at_bytes(levels: int, text: str) -> None:
    found = model(levels).segment(text)
    assert isinstance(found, Segmentation) and found.text == text and len(found.levels) == levels
    below = tuple(range(len(text.encode())))
    for level in found.levels:
        assert level.offsets == below and len(level.probabilities) == len(below)
        assert level.starts[0] == 0 and set(level.starts) <= set(below)
        assert list(level.starts) == sorted(set(level.starts))
        assert level.probabilities[0] == 1.0 and all(0 <= p <= 1 for p in level.probabilities)
        places = [below.index(start) for start in level.starts]
        assert all(b - a <= 8 for a, b in zip(places, [*places[1:], len(below)], strict=True))
        begun = {at for at, p in zip(below, level.probabilities, strict=True) if p >= 0.5}
        assert begun <= set(level.starts)
        below = level.starts


def test_segments_and_latents_agree() -> None:
    built = model(3)
    for text in TEXTS:
        counts = [len(level.starts) for level in built.segment(text).levels]
        assert counts == [int(built.encode([text], level).lengths[0]) for level in range(3)]


# --- down -------------------------------------------------------------------------------------------------


@some
@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
@pytest.mark.parametrize("objective", ["flow", "ddmm"])
def test_an_untrained_model_writes_some_text(levels: int, decompressor: str, objective: str) -> None:
    built = model(levels, objective, decompressor=decompressor)
    for noise in (0.0, 0.5, 1.0):
        rows = built.reconstruct(TEXTS, noise=noise, seed=1)
        assert len(rows) == 2 and all(isinstance(row, str) and row for row in rows)
        assert rows == built.reconstruct(TEXTS, noise=noise, seed=1)
    assert built.reconstruct(TEXTS) == built.decode(built.encode(TEXTS))


def test_noise_follows_its_seed_and_level() -> None:
    built = model(2)
    z = built.encode(TEXTS).vectors
    assert torch.equal(built.add_noise(z, 0.5, 1), built.add_noise(z, 0.5, 1))
    assert not torch.equal(built.add_noise(z, 0.5, 1), built.add_noise(z, 0.5, 2))
    angle = [float(torch.cosine_similarity(built.add_noise(z, t, 1)[0, 0], z[0, 0], dim=0)) for t in (0.1, 0.5, 0.9)]
    assert angle[0] > angle[1] > angle[2]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    built = model(1)
    codes = torch.nn.functional.normalize(built.codebook, dim=-1)[[0x41, 0xFF, 0x42]][None]
    assert built.read(codes, torch.tensor([3])) == ["A\ufffdB"]
    assert built.read(codes, torch.tensor([1])) == ["A"]


# --- training step ----------------------------------------------------------------------------------------


def test_the_order_of_documents_does_not_change_what_is_not_drawn() -> None:
    """Splits are deterministic here; terms that draw noise, pairs or negatives may differ."""
    built = model(1)
    rows = [*TEXTS, "A third text, of yet another length.", "Four."]
    tokens, lengths = bytes_batch(rows)
    order = torch.tensor([2, 0, 3, 1])
    results = []
    with torch.no_grad():
        for at in (torch.arange(4), order):
            step = built(tokens[at], lengths[at], losses(), random(), sampled=False)
            results.append(step.levels[0].losses.named())
    for name in ("window", "short", "rate", "decisive"):
        torch.testing.assert_close(results[0][name], results[1][name])


def test_padding_bytes_do_not_change_a_step() -> None:
    built = model(2)
    tokens, lengths = bytes_batch(TEXTS)
    other = torch.where(tokens == 256, 65, tokens)
    with torch.no_grad():
        one, two = (built(t, lengths, losses(), random()).loss for t in (tokens, other))
    assert torch.equal(one, two)


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize("decompressor", ["parallel", "sequential"])
def test_gradients_reach_every_parameter(objective: str, decompressor: str) -> None:
    built = model(2, objective, seed=4, decompressor=decompressor)  # vectors of level 1 that are not all alike
    for level in built.levels:
        torch.nn.init.constant_(level.stitcher.scale, 0.5)  # 0 at the start: matching is learned from the scale
    tokens, lengths = bytes_batch([*TEXTS, "Three is a crowd, and four of them make a party of texts."])
    for seed in range(3):
        built(tokens, lengths, losses(masked_rows=0.5), random(seed)).loss.backward()
    if objective == "flow":
        acquainted(built, [*TEXTS])(tokens, lengths, losses(), random(), only="flow").loss.backward()
    gradients = {name: p.grad for name, p in built.named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None or not grad.abs().sum() > 0] == []
    assert [name for name, grad in gradients.items() if not grad.isfinite().all()] == []


@pytest.mark.parametrize("only", [0, 1])
def test_a_level_alone_trains_no_other(only: int) -> None:
    from zonkey.train.learner import freeze_but

    built = model(3)
    freeze_but(built, only)
    tokens, lengths = bytes_batch(TEXTS)
    step = built(tokens, lengths, losses(), random(), only=only)
    step.loss.backward()
    touched = {
        name.split(".")[1] if "levels" in name else name for name, p in built.named_parameters() if p.grad is not None
    }
    assert touched == ({"0", "codebook"} if only == 0 else {str(only)})
    assert [level is not None for level in step.levels] == [level == only for level in range(only + 1)]


def test_flows_are_trained_alone() -> None:
    from zonkey.train.learner import freeze_but

    built = acquainted(model(2), TEXTS)
    freeze_but(built, "flow")
    step = built(*bytes_batch(TEXTS), losses(), random(), only="flow")
    step.loss.backward()
    touched = {name for name, p in built.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert touched == {name for name, _ in built.named_parameters() if ".flow." in name}
    assert step.levels == (None, None) and len(step.latent) == 2
    torch.testing.assert_close(step.loss.detach(), torch.stack(step.latent).sum())


def test_another_metric_cannot_change_a_gradient() -> None:
    """Metrics carry no gradient, and the loss is the sum of the weighted losses alone."""
    built = model(2)
    tokens, lengths = bytes_batch(TEXTS)
    step = built(tokens, lengths, losses(), random())
    for level in step.levels:
        assert [name for name, value in level.metrics.named().items() if value.requires_grad] == []
    torch.testing.assert_close(step.loss, sum(level.losses.total(losses()) for level in step.levels))


@pytest.mark.parametrize("objective", ["flow", "ddmm"])
@pytest.mark.parametrize("logit", [-80.0, 80.0])
def test_a_step_is_finite_when_begins_are_certain(objective: str, logit: float) -> None:
    built = model(2, objective)
    for level in built.levels:
        torch.nn.init.constant_(level.splitter.bias, logit)
        torch.nn.init.constant_(level.denoiser.begin_bias, logit)
    tokens, lengths = bytes_batch(TEXTS)
    step = built(tokens, lengths, losses(), random())
    step.loss.backward()
    assert step.loss.isfinite()
    assert [n for n, p in built.named_parameters() if p.grad is not None and not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("rows", [["ab"], ["ab", "a much longer text than its neighbour is, by far"], ["a" * 9]])
@pytest.mark.parametrize("objective", ["flow", "ddmm"])
def test_a_step_takes_texts_of_any_length(rows: list[str], objective: str) -> None:
    step = model(3, objective)(*bytes_batch(rows), losses(), random())
    step.loss.backward()
    assert step.loss.isfinite()


def test_capacity_depends_on_the_shape_alone() -> None:
    built = model(2)
    shapes = set()
    for bias in (-80.0, 0.0, 80.0):
        torch.nn.init.constant_(built.levels[0].splitter.bias, bias)
        step = built(*bytes_batch(TEXTS), losses(), random())
        shapes.add(tuple(tuple(level.z.shape) for level in step.levels))
    assert len(shapes) == 1


# --- doors ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("level", [-1, 2, 1.0, "0", True])
def test_a_level_that_is_not_there_is_refused(level: object) -> None:
    built = model(2)
    for call in (built.encode, built.reconstruct):
        with pytest.raises(ValueError, match="this model has levels 0 to 1") as caught:
            call(TEXTS, level)
        assert repr(level) in str(caught.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "at least one text"),
        ("text", "a list"),
        ([""], "text 0 has 0 bytes"),
        (["fine", "a"], "text 1 has 1 bytes; this model takes 2 to 4096"),
        (["a" * 4097], "text 0 has 4097 bytes"),
    ],
)
def test_texts_that_do_not_fit_are_refused(rows: list[str], says: str) -> None:
    for call in (model(1).encode, model(1).reconstruct):
        with pytest.raises(ValueError, match=says):
            call(rows)


def test_a_text_that_does_not_fit_has_no_segments() -> None:
    for text in ("", "a", "a" * 4097):
        with pytest.raises(ValueError, match="this model takes 2 to 4096"):
            model(1).segment(text)


@pytest.mark.parametrize("noise", [-0.1, 1.1, float("nan")])
def test_noise_out_of_range_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match="noise is"):
        model(1).reconstruct(TEXTS, noise=noise)


# --- saving and loading -----------------------------------------------------------------------------------


@some
@pytest.mark.parametrize("objective", ["flow", "ddmm"])
def test_a_saved_model_comes_back(tmp_path: Path, levels: int, objective: str) -> None:
    built = model(levels, objective, seed=5)
    built.save_pretrained(tmp_path)
    again = Zonkey.from_pretrained(tmp_path)
    assert again.config == built.config
    assert {p.name for p in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}
    state = again.state_dict()
    assert state.keys() == built.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in built.state_dict().items())
    assert again.reconstruct(TEXTS) == built.reconstruct(TEXTS)


def _refused(folder: Path, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Zonkey.from_pretrained(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_weights_cut_short_are_refused(tmp_path: Path, kept: float) -> None:
    model(1).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    _refused(tmp_path, r"model\.safetensors is cut short or damaged")


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    model(1).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    _refused(tmp_path, r"no model\.safetensors in")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    model(1).save_pretrained(tmp_path / "one")
    model(1, window=9).save_pretrained(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "one" / "model.safetensors")
    _refused(tmp_path / "one", "does not fit its config.json")


@pytest.mark.parametrize("change", ["missing", "more"])
def test_weights_with_other_names_are_refused(tmp_path: Path, change: str) -> None:
    model(1).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    if change == "missing":
        del weights["codebook"]
    else:
        weights["extra"] = torch.zeros(2)
    save_file(weights, tmp_path / "model.safetensors")
    _refused(tmp_path, "does not fit its config.json")


@pytest.mark.parametrize("damage", ["unknown", "bad", "cut", "list", "missing"])
def test_a_damaged_configuration_is_refused(tmp_path: Path, damage: str) -> None:
    model(1).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    inner = values.get("config", values)
    if damage == "unknown":
        inner["depth"] = 3
    elif damage == "bad":
        inner["levels"][0]["width"] = "wide"
    text = {"cut": path.read_text()[:40], "list": "[]"}.get(damage, json.dumps(values))
    path.unlink() if damage == "missing" else path.write_text(text)
    _refused(tmp_path, "config")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none", "none")


def test_the_same_seed_builds_the_same_model() -> None:
    one, two, other = (model(2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert model(2).config == config(2).model
