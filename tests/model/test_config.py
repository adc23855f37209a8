"""Every parameter of params.yaml: unknown, missing, ill-typed, out of range, contradicting another."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.model.build import ROOT, config, raw
from zonkey.config import Config, ConfigError, fingerprint, load_config, parse

VALUES = raw()
Path_ = tuple[str | int, ...]


def leaves(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Paths to all parameters; lists of mappings are entered."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        entered = isinstance(part, dict) or (isinstance(part, list) and part and isinstance(part[0], dict))
        yield from leaves(part, (*at, key)) if entered else [(*at, key)]


LEAVES = [at for at in leaves(VALUES) if at[0] != "pipeline" and "changes" not in at]  # derived; see test_variants
NUMBERS = [at for at in LEAVES if at[-1] not in ("profile",)]


def named(at: Path_) -> str:
    return ".".join(map(str, at))


def holder(values: dict[str, Any], at: Path_) -> Any:
    for key in at[:-1]:
        values = values[key]
    return values


def failure(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(Config, values, "params.yaml")
    message = str(caught.value)
    assert "\n" not in message and message.startswith("params.yaml: ")
    return message


def changed(at: Path_, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    holder(values, at)[at[-1]] = value
    return values


def test_the_parameters_of_the_repository_are_valid() -> None:
    whole = load_config(ROOT / "params.yaml")
    assert len(whole.train.levels) == len(whole.model.levels)


@pytest.mark.parametrize("at", LEAVES, ids=named)
def test_a_missing_parameter_is_named(at: Path_) -> None:
    values = copy.deepcopy(VALUES)
    del holder(values, at)[at[-1]]
    message = failure(values)
    assert named(at) in message and "missing" in message


@pytest.mark.parametrize("at", LEAVES, ids=named)
def test_an_ill_typed_parameter_is_named_with_its_value(at: Path_) -> None:
    message = failure(changed(at, {"odd": 1}))
    assert named(at) in message and "odd" in message


SWITCHES = [at for at in LEAVES if isinstance(holder(VALUES, at)[at[-1]], bool)]
NUMBERS = [at for at in LEAVES if isinstance(holder(VALUES, at)[at[-1]], int | float) and at not in SWITCHES]


@pytest.mark.parametrize("at", SWITCHES, ids=named)
@pytest.mark.parametrize("value", ["true", 1, None], ids=repr)
def test_a_switch_is_true_or_false(at: Path_, value: Any) -> None:
    assert named(at) in failure(changed(at, value))


@pytest.mark.parametrize("at", NUMBERS, ids=named)
@pytest.mark.parametrize("value", ["1e-2", True, None, -1, float("nan")], ids=repr)
def test_a_number_must_be_a_number_in_its_range(at: Path_, value: Any) -> None:
    if value is None and named(at) == "data.documents":
        return  # null takes all
    message = failure(changed(at, value))
    assert named(at) in message


@pytest.mark.parametrize("at", sorted({at[:-1] for at in LEAVES}, key=named), ids=lambda at: named(at) or "top")
def test_an_unknown_parameter_is_named_with_the_nearest_known(at: Path_) -> None:
    known = next(str(leaf[-1]) for leaf in LEAVES if leaf[:-1] == at)
    misspelt = known[:-1] + "_" + known[-1]
    message = failure(changed((*at, misspelt), 1))
    assert repr(named((*at, misspelt))) in message and "unknown" in message and "nearest" in message


def test_the_nearest_name_is_near() -> None:
    assert "'learning_rate'" in failure(changed(("train", "finetune", "learningrate"), 0.1))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("model", "objective"), "diffusion"),
        (("data", "source"), "wikipedia"),
        (("model", "levels", 0, "decompressor"), "serial"),
        (("train", "optimizer"), "sgd"),
        (("runtime", "device"), "tpu"),
        (("runtime", "precision"), "float16"),
        (("sample", "length"), "long"),
        (("model", "levels", 0, "window"), 3),
        (("model", "levels", 1, "capacity"), 1.0),
        (("model", "flow", "self_condition"), 1.5),
        (("model", "flow", "ema"), 1.0),
        (("losses", "negatives"), 0),
        (("train", "levels", 1, "steps"), 0),
        (("train", "finetune", "learning_rate"), 0.0),
        (("evaluate", "noise_levels"), [0.5, 1.5]),
        (("evaluate", "noise_levels"), []),
        (("model", "levels"), []),
        (("data", "min_bytes"), 1),
        (("data", "test"), 0.0),
    ],
    ids=lambda value: named(value) if isinstance(value, tuple) else repr(value),
)
def test_a_value_out_of_range_is_named(at: Path_, value: Any) -> None:
    assert named(at) in failure(changed(at, value))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({("model", "levels", 1, "width"): 64}, ("model", "levels.1.width", "64", "32")),
        ({("model", "levels", 0, "heads"): 3}, ("model.levels.0", "width", "heads 3")),
        ({("model", "levels", 0, "vectors"): 8}, ("model.levels.0", "vectors 8", "window 8")),
        ({("model", "levels", 0, "target_rate"): 0.1}, ("model.levels.0", "target_rate 0.1")),
        ({("data", "source"): "parquet"}, ("data", "path")),
        ({("data", "test"): 0.6, ("data", "validation"): 0.6}, ("data", "judge + validation + test")),
        ({("data", "max_bytes"): 10, ("data", "min_bytes"): 20}, ("data", "max_bytes", "min_bytes")),
        ({("train", "levels"): VALUES["train"]["levels"][:1]}, ("train.levels", "model.levels")),
    ],
    ids=lambda value: named(next(iter(value))) if isinstance(value, dict) else "",
)
def test_contradictions_are_named(changes: dict[Path_, Any], names: tuple[str, ...]) -> None:
    values = copy.deepcopy(VALUES)
    for at, value in changes.items():
        holder(values, at)[at[-1]] = value
    message = failure(values)
    assert all(name in message for name in names), message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "list"),
        ("", "holds nothing"),
        ("a: [1", "not valid YAML"),
        ("seed: 0\nseed: 1\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no parameter file at .*none\.yaml"):
        load_config(tmp_path / "none.yaml")


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xff\xfe\x00seed")
    with pytest.raises(ConfigError):
        load_config(path)


def test_a_configuration_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(VALUES, file)
    assert load_config(path) == parse(Config, VALUES, "test")


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().seed = 1  # type: ignore[misc]


def test_fingerprints_tell_configurations_apart() -> None:
    one, two = config(), config(window=9)
    assert fingerprint(one) == fingerprint(config()) != fingerprint(two)
    assert fingerprint(one, "a") != fingerprint(one, "b") and len(fingerprint(one)) == 16
