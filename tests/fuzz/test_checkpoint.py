"""Damaged models and training states: refused in one sentence, or read as what the files say."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, load_file, save

from tests.fuzz.cases import CASES, one_sentence
from tests.model.build import config, model
from zonkey import Zonkey
from zonkey.checkpoint import STATE, CheckpointError, load_state, save_model, save_state
from zonkey.cli.info import describe
from zonkey.config import ModelConfig, parse

pytestmark = pytest.mark.usefixtures("unchecked")

SMALL = {"width": 8, "heads": 1, "window": 4, "vectors": 1, "splitter_radius": 1, "target_rate": 0.5}
CODES = ["F32", "F64", "F16", "BF16", "BOOL", "Q8", "", None, 32]  # integers have a test of their own


class Folder:
    """A model folder that is written anew for every case."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.built = model(1, **SMALL)
        save_model(self.built, config(1, **SMALL), path)
        self.weights = (path / "model.safetensors").read_bytes()
        self.config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        self.size = 8 + int.from_bytes(self.weights[:8], "little")
        self.header = json.loads(self.weights[8 : self.size])

    def write(self, weights: bytes | None = None, values: bytes | None = None) -> Path:
        (self.path / "model.safetensors").write_bytes(self.weights if weights is None else weights)
        (self.path / "config.json").write_bytes(json.dumps(self.config).encode() if values is None else values)
        return self.path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("fuzz") / "model")


def with_header(header: bytes, rest: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + rest


def damaged(draw: st.DrawFn, data: bytes, least: int = 0, upto: int | None = None, new: bytes = b"") -> bytes:
    """Bytes between ``least`` and ``upto`` changed (to ``new`` ones only, if any), put in, or taken out, or a cut."""
    byte = st.sampled_from(new) if new else st.integers(0, 255)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(min(least, len(data)), min(upto or len(data), len(data))))
        kind = draw(st.sampled_from(["change", "change", "in", "out", "cut"]))
        more = bytes([draw(byte)]) if kind in ("change", "in") else b""
        after = {"change": at + 1, "in": at, "out": at + draw(st.integers(1, 9)), "cut": len(data)}[kind]
        data = data[:at] + more + data[after:]
    return data


# --- weights ----------------------------------------------------------------------------------------------

large = st.sampled_from([2**31, 2**63, 2**64, 1e300])
odd = st.one_of(st.none(), st.booleans(), st.integers(-3, 70), large, st.sampled_from(["x", [], {}]))


@st.composite
def headers(draw: st.DrawFn, header: dict[str, Any]) -> dict[str, Any]:
    """A header in which shapes, types, places and names are changed, each as JSON allows."""
    header = copy.deepcopy(header)
    for _ in range(draw(st.integers(1, 3))):
        if not header:
            break
        name = draw(st.sampled_from(sorted(header)))
        entry, other = header[name], header[draw(st.sampled_from(sorted(header)))]
        kind = draw(st.sampled_from(["shape", "turn", "type", "place", "swap", "rename", "drop", "add", "odd", "note"]))
        if kind == "drop":
            del header[name]
        elif kind == "odd":
            header[name] = draw(odd)
        elif kind == "rename":
            header[draw(st.text(max_size=5))] = header.pop(name)
        elif kind == "note":
            header["__metadata__"] = draw(st.one_of(odd, st.dictionaries(st.text(max_size=3), odd, max_size=2)))
        elif not isinstance(entry, dict) or not isinstance(entry.get("shape"), list) or "dtype" not in entry:
            continue
        elif kind == "shape":
            entry["shape"] = draw(st.lists(st.one_of(st.integers(0, 64), odd), max_size=4))
        elif kind == "turn":
            entry["shape"] = draw(st.sampled_from([entry["shape"][::-1], [*entry["shape"], 1], [1, *entry["shape"]]]))
        elif kind == "type":
            entry["dtype"] = draw(st.sampled_from(CODES))
        elif kind == "place":
            entry["data_offsets"] = draw(st.lists(st.one_of(st.integers(0, 9000), odd), max_size=3))
        elif kind == "swap" and isinstance(other, dict) and "data_offsets" in entry and "data_offsets" in other:
            entry["data_offsets"], other["data_offsets"] = other["data_offsets"], entry["data_offsets"]
        elif kind == "add":
            header[draw(st.text(max_size=5))] = copy.deepcopy(entry)
    return header


@st.composite
def weights(draw: st.DrawFn, folder: Folder) -> bytes:
    """The file with its header damaged as bytes or as JSON, or with another length in front."""
    kind = draw(st.sampled_from(["bytes", "length", "json", "json", "json", "inside", "junk"]))
    rest = folder.weights[folder.size :]
    if kind == "bytes":
        return damaged(draw, folder.weights, upto=folder.size)
    if kind == "length":
        length = draw(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2 * folder.size)))
        return length.to_bytes(8, "little") + folder.weights[8:]
    if kind == "inside":
        return with_header(damaged(draw, folder.weights[8 : folder.size]), rest)
    if kind == "junk":
        return draw(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda data: with_header(data, rest))))
    return with_header(json.dumps(draw(headers(folder.header))).encode(), rest)


@CASES
@given(data=st.data())
def test_damaged_weights_are_refused_or_read_as_they_are(data: st.DataObject, folder: Folder) -> None:
    """Never of another shape, never under another name, and nothing is left as it was built."""
    path = folder.write(data.draw(weights(folder)))
    try:
        found = Zonkey.from_pretrained(path)
    except ValueError as error:
        one_sentence(error, "model.safetensors")
        return
    stored = load_file(path / "model.safetensors")
    state, want = found.state_dict(), folder.built.state_dict()
    assert found.config == folder.built.config and state.keys() == want.keys() == stored.keys()
    for name, value in state.items():
        assert value.shape == want[name].shape == stored[name].shape and value.dtype == torch.float32
        torch.testing.assert_close(value, stored[name].float(), rtol=0, atol=0, equal_nan=True)


@CASES
@given(data=st.data())
def test_damaged_models_are_described_or_refused(data: st.DataObject, folder: Folder) -> None:
    """``zonkey info`` reads headers alone."""
    values = data.draw(st.one_of(st.none(), configurations(folder)))
    path = folder.write(data.draw(weights(folder)), values)
    try:
        found = describe(path)
    except ValueError as error:
        one_sentence(error, str(path))
        return
    stored = load_file(path / "model.safetensors")
    assert found["parameters"] == sum(value.numel() for value in stored.values())


# --- config.json ------------------------------------------------------------------------------------------

JSON = [None, True, 0, 1, 2, 8, 16, 60, -1, 0.5, 1.5, "", "flow", "ddmm", "hard", "sequential", [], {}, [1], {"a": 1}]
SIGNS = b'{}[]:,"\\ \n\t\0x-.eE+\xff\xc3'  # no digits: a width of billions is refused by the memory alone


@st.composite
def configurations(draw: st.DrawFn, folder: Folder) -> bytes:
    """A ``config.json`` damaged as bytes or as JSON, or something else."""
    kind = draw(st.sampled_from(["bytes", "values", "values", "values", "level", "other"]))
    if kind == "bytes":
        return damaged(draw, json.dumps(folder.config).encode(), new=SIGNS)
    if kind == "other":
        return draw(st.sampled_from([b"", b"[]", b"{}", b"null", b"3", b'{"levels": 1' + b"0" * 5000 + b"}"]))
    values = copy.deepcopy(folder.config)
    for _ in range(draw(st.integers(1, 3))):
        inside = values
        if kind == "level" and isinstance(values.get("levels"), list) and values["levels"]:
            inside = values["levels"][0]
        elif draw(st.booleans()) and isinstance(values.get("flow"), dict):
            inside = values["flow"]
        if not isinstance(inside, dict) or not inside:
            break
        key = draw(st.sampled_from([*sorted(inside), "config", "more"]))
        change = draw(st.sampled_from(["set", "set", "drop"]))
        if change == "set":
            inside[key] = draw(st.sampled_from(JSON))
        else:
            inside.pop(key, None)
    return json.dumps(values).encode()


@CASES
@given(data=st.data())
def test_damaged_configurations_are_refused_or_fit_their_weights(data: st.DataObject, folder: Folder) -> None:
    raw = data.draw(configurations(folder))
    path = folder.write(values=raw)
    try:
        found = Zonkey.from_pretrained(path)
    except ValueError as error:
        words = one_sentence(error)
        assert "config.json" in words or "model.safetensors" in words
        return
    values = json.loads(raw)
    assert found.config == parse(ModelConfig, values.get("config", values), "config.json")
    want = folder.built.state_dict()
    assert found.state_dict().keys() == want.keys()
    assert all(torch.equal(value, want[name]) for name, value in found.state_dict().items())


DEEP = b'{"levels": ' + b"[" * 100_000


def test_a_description_of_a_deep_configuration_is_refused(folder: Folder) -> None:
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        describe(folder.write(values=DEEP))
    one_sentence(caught.value)


def test_a_deep_configuration_is_refused(folder: Folder) -> None:
    with pytest.raises(ValueError, match=r"config\.json") as caught:
        Zonkey.from_pretrained(folder.write(values=DEEP))
    one_sentence(caught.value)


@pytest.mark.parametrize("code", ["I32", "U32"])
def test_weights_that_are_whole_numbers_are_refused(folder: Folder, code: str) -> None:
    """Of the right shape and of as many bytes: the bits of weights would be read as numbers of billions."""
    header = folder.header | {"codebook": folder.header["codebook"] | {"dtype": code}}
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        Zonkey.from_pretrained(folder.write(with_header(json.dumps(header).encode(), folder.weights[folder.size :])))


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_is_no_number(folder: Folder, count: int) -> None:
    weights = load(folder.weights) | {"levels.0.splitter.bias": torch.ones(count)}
    with pytest.raises(
        ValueError, match=r"model\.safetensors does not fit its config\.json: levels\.0\.splitter\.bias"
    ):
        Zonkey.from_pretrained(folder.write(save(weights)))


def test_a_configuration_of_absurd_size_is_refused_before_memory_is_taken(folder: Folder) -> None:
    """The largest that parameters may ask for, and more than any machine holds."""
    values = copy.deepcopy(folder.config)
    values["levels"][0] |= {"width": 2**16, "denoiser_layers": 256}
    with pytest.raises(ValueError, match=r"does not fit its config\.json") as caught:
        Zonkey.from_pretrained(folder.write(values=json.dumps(values).encode()))
    one_sentence(caught.value)


# --- training states --------------------------------------------------------------------------------------

WHOLE = {
    "step": 3,
    "history": [{"step": 3, "train/loss": 1.5}, {"step": 3, "kind": "validation", "samples": ["a"]}],
    "model": {"w": torch.arange(6.0).view(2, 3)},
    "optimizer": [{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.98)}]}],
}


def same(one: Any, two: Any) -> bool:
    if isinstance(two, dict):
        return isinstance(one, dict) and one.keys() == two.keys() and all(same(one[key], two[key]) for key in two)
    if isinstance(two, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return torch.equal(one, two) if isinstance(two, torch.Tensor) else bool(one == two)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("state")
    save_state(path, WHOLE)
    return path, (path / STATE).read_bytes()


def repacked(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The archive with its members changed and its checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


@CASES
@given(data=st.data())
def test_damaged_states_are_refused_or_whole(data: st.DataObject, state: tuple[Path, bytes]) -> None:
    folder, whole = state
    (folder / STATE).write_bytes(damaged(data.draw, whole))
    try:
        found = load_state(folder)
    except CheckpointError as error:
        one_sentence(error, str(folder / STATE))
        return
    assert same(found, WHOLE)


@CASES
@given(data=st.data())
def test_states_that_were_written_wrong_are_refused(data: st.DataObject, state: tuple[Path, bytes]) -> None:
    """Checksums are right here, so that what unpickles sees every byte; it may read another state, and run nothing."""
    folder, whole = state
    member = data.draw(st.sampled_from(["data.pkl", "data.pkl", "data.pkl", "version", "byteorder", "data/0"]))

    def change(name: str, content: bytes) -> bytes:
        return damaged(data.draw, content) if name.endswith(member) else content

    (folder / STATE).write_bytes(repacked(whole, change))
    try:
        load_state(folder)
    except CheckpointError as error:
        one_sentence(error, str(folder / STATE))
