"""Models that are absent, damaged, of another version or shape, or hold what is no number."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save_file

from tests.model.build import model
from tests.pipeline.refusals import refused
from zonkey import Zonkey
from zonkey.cli import main

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that is fine."""
    path = tmp_path_factory.mktemp("models") / "whole"
    model(2).save_pretrained(path)
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def configured(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        values = json.loads((folder / CONFIG).read_text())
        change(values)
        (folder / CONFIG).write_text(json.dumps(values))

    return damage


def weighted(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        values = load((folder / WEIGHTS).read_bytes())
        change(values)
        save_file(values, folder / WEIGHTS)

    return damage


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def cut(share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(data[: int(share * len(data))])

    return damage


def of_a_folder(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def of_another(**shape: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        model(2, **shape).save_pretrained(folder / "other")
        shutil.copy(folder / "other" / WEIGHTS, folder)

    return damage


def pickled(folder: Path) -> None:
    torch.save(load((folder / WEIGHTS).read_bytes()), folder / WEIGHTS)


DAMAGED = {  # seen by every command, before anything is allocated
    "no configuration": (lambda folder: (folder / CONFIG).unlink(), ("no model in",)),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), ("no weights",)),
    "weights cut short": (cut(0.5), (WEIGHTS, "cut short")),
    "weights but for a byte": (cut(0.99999), (WEIGHTS, "cut short")),
    "empty weights": (cut(0), (WEIGHTS, "cut short")),
    "a header without an end": (written(WEIGHTS, b"\xff" * 100), (WEIGHTS, "cut short")),
    "pickled weights": (pickled, (WEIGHTS, "cut short")),
    "weights that are a folder": (of_a_folder(WEIGHTS), (WEIGHTS,)),
    "configuration that is a folder": (of_a_folder(CONFIG), ("no model in",)),
    "whole numbers": (weighted(lambda w: w.update(codebook=w["codebook"].int())), ("codebook is of type I32",)),
    "configuration cut short": (written(CONFIG, b'{"levels": ['), (CONFIG, "not valid JSON")),
    "configuration of another kind": (written(CONFIG, b"[]"), (CONFIG, "holds a list")),
    "configuration without an end": (written(CONFIG, b"[" * 100_000), (CONFIG, "not valid JSON")),
    "configuration in latin-1": (written(CONFIG, b'{"a": "\xe9"}'), (CONFIG, "not valid JSON")),
    "an older version": (configured(lambda c: c.pop("sampler")), (CONFIG, "another version", "'sampler' is missing")),
    "a newer version": (
        configured(lambda c: c.update(depth=1)),
        (CONFIG, "another version (unknown", "depth"),
    ),
    "a broken chain": (configured(lambda c: c["levels"][1].update(width=64)), (CONFIG, "levels.1.width is 64")),
    "heads that do not divide": (configured(lambda c: c["levels"][0].update(heads=3)), (CONFIG, "width 16", "heads 3")),
    "a level dropped": (configured(lambda c: c["levels"].pop()), ("levels.1", "train or copy the model again")),
    "an absurd width": (configured(lambda c: c["levels"][0].update(width=2**40)), (CONFIG, str(2**40), "at most")),
    "absurdly many layers": (
        configured(lambda c: c["levels"][0].update(denoiser_layers=10**9)),
        (CONFIG, "1000000000", "at most"),
    ),
    "a rate that is no number": (configured(lambda c: c["flow"].update(ema=float("nan"))), (CONFIG, "ema", "nan")),
}
UNFIT = {  # seen when it is to run
    "another window": (of_another(window=9), ("does not fit its config.json", "[9, 16]", "[8, 16]")),
    "another width": (
        configured(lambda c: _widen(c, 1024)),
        ("does not fit its config.json", "[256, 16]", "[256, 1024]"),
    ),
    "a tensor missing": (weighted(lambda w: w.pop("codebook")), ("codebook is not there", "[256, 16]")),
    "a tensor too many": (weighted(lambda w: w.update(more=torch.zeros(1))), ("more is of shape [1]", "not there")),
    "not a number": (weighted(lambda w: w["codebook"][3].fill_(float("nan"))), ("NaN or infinity", "codebook")),
    "infinity": (weighted(lambda w: w["levels.0.mask_vector"].fill_(float("inf"))), ("levels.0.mask_vector",)),
    "no numbers at all": (
        weighted(lambda w: [v.fill_(float("nan")) for v in w.values()]),
        ("NaN or infinity",),
    ),
}
RUNS = (["segment", "some text"], ["reconstruct", "some text"], ["generate"], ["infill", "a {gap:3} b"])


def _widen(values: dict, width: int) -> None:
    for number, level in enumerate(values["levels"]):
        level["width"] = width * level["vectors"] ** number


def test_the_model_is_fine_before_it_is_damaged(whole: Path) -> None:
    assert main(["info", str(whole)]) == 0
    for command in RUNS:
        assert main([*command, "--model", str(whole)]) == 0


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_model(name: str, copy: Path, capsys: pytest.CaptureFixture) -> None:
    damage, says = DAMAGED[name]
    damage(copy)
    before = {path: path.stat().st_size for path in copy.rglob("*")}
    refused(capsys, ["info", str(copy)], str(copy), *says)
    refused(capsys, ["generate", "--model", str(copy)], str(copy), *says)
    assert before == {path: path.stat().st_size for path in copy.rglob("*")}


@pytest.mark.parametrize("name", UNFIT)
def test_a_model_that_does_not_fit(name: str, copy: Path, capsys: pytest.CaptureFixture) -> None:
    damage, says = UNFIT[name]
    damage(copy)
    for command in RUNS:
        refused(capsys, [*command, "--model", str(copy)], str(copy), "train or copy the model again", *says)


def test_weights_out_of_all_proportion_write_nothing(copy: Path, capsys: pytest.CaptureFixture) -> None:
    """Each is a number, and what is computed from them is none."""
    weighted(lambda w: [v.fill_(3e38) for v in w.values()])(copy)
    refused(capsys, ["generate", "--model", str(copy)], "what the model computes is not finite", "train or copy")


def test_nothing_but_safetensors_comes_from_the_hub(
    whole: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface_hub would fall back to a pytorch_model.bin, and unpickle it."""
    asked: list[dict] = []

    def download(name: str, **options: object) -> str:
        asked.append({"name": name, **options})
        return str(place)

    monkeypatch.setattr("zonkey.pretrained.snapshot_download", download)
    place = whole
    assert Zonkey.from_pretrained("owner/name", revision="abc").config == Zonkey.from_pretrained(whole).config
    assert asked == [{"name": "owner/name", "allow_patterns": [CONFIG, WEIGHTS], "revision": "abc"}]
    place = copy
    (copy / WEIGHTS).rename(copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no model\.safetensors in "):
        Zonkey.from_pretrained("owner/name")


@pytest.mark.parametrize(
    "place", ["none", "../none", "/none/at/all", "", "owner/name", "https://example.org/model", "~"]
)
def test_an_absent_model(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["info", place], ["generate", "--model", place]):
        refused(capsys, command, f"no model in {Path(place)}", "name a folder")


def test_links_are_followed_to_models_and_nothing_else(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """As the hub's own cache has them; a file elsewhere that is no model is refused, and never shown."""
    (tmp_path / "link").symlink_to(whole)
    assert main(["generate", "--model", str(tmp_path / "link")]) == 0
    (tmp_path / "circle").symlink_to("circle")
    refused(capsys, ["generate", "--model", str(tmp_path / "circle")], "no model in")
    secret = tmp_path / "secret"
    secret.write_text("password")
    for name in (CONFIG, WEIGHTS):
        folder = Path(shutil.copytree(whole, tmp_path / f"linked-{name}"))
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        assert "password" not in refused(capsys, ["generate", "--model", str(folder)], name)
