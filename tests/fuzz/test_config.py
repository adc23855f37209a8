"""Configurations to YAML and back; and whatever a parameter file holds, it is valid or refused in one sentence."""

from __future__ import annotations

import copy
import datetime
import functools
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from tests.fuzz.cases import CASES, one_sentence
from tests.model.build import ROOT, raw
from zonkey.cli.profile import merge
from zonkey.config import Config, ConfigError, ModelConfig, fingerprint, load_config, parse, read_mapping

Path_ = tuple[str | int, ...]
VALUES = {levels: raw(levels) for levels in (1, 2, 3)}
CHOICES = ["flow", "ddmm", "soft", "hard", "past", "both", "sequential", "stride", "spaces", "text", "hub", "cuda"]


def places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Paths to all that a tree holds: sections, lists, and what is in them."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from places(part, (*at, key))


@functools.cache
def places_of(levels: int) -> list[Path_]:
    return list(places(VALUES[levels]))


def holder(values: Any, at: Path_) -> Any:
    return functools.reduce(lambda inside, key: inside[key], at[:-1], values)


# --- valid ones -------------------------------------------------------------------------------------------

letters = st.characters(codec="utf-8", exclude_characters="\x85")  # ruamel writes this one as other characters
words = st.one_of(
    st.sampled_from(CHOICES), st.text(letters, max_size=12), st.text("a:#&*!|>%@-? \n\t'\"{}[],~01e.", max_size=8)
)
numbers = st.one_of(st.integers(0, 40), st.integers(0, 10**12), st.floats(0, 1), st.floats(0))
plain = st.one_of(st.none(), st.booleans(), numbers, words)
changes = st.dictionaries(words, st.one_of(plain, st.lists(plain, max_size=3)), max_size=3)


def like(value: Any) -> st.SearchStrategy[Any]:
    """Values that could stand where this one does."""
    if isinstance(value, dict):
        return changes
    if isinstance(value, list):
        return st.lists(like(value[0]), max_size=4) if value and not isinstance(value[0], dict) else st.just(value)
    if isinstance(value, int | float):
        return numbers
    return st.one_of(st.none(), words)


@st.composite
def valid(draw: st.DrawFn) -> dict[str, Any]:
    """Parameters of which some are drawn; what would contradict the rest is left as it was."""
    levels = draw(st.integers(1, 3))
    values = copy.deepcopy(VALUES[levels])
    for at in draw(st.lists(st.sampled_from(places_of(levels)), max_size=12, unique=True)):
        if at not in set(places(values)):  # in what another value stands for by now
            continue
        inside = holder(values, at)
        before = inside[at[-1]]
        inside[at[-1]] = draw(like(before))
        try:
            parse(Config, values, "drawn")
        except ConfigError:
            inside[at[-1]] = before
    return values


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "parameters.yaml"


@CASES
@given(values=valid())
def test_a_valid_configuration_is_read_as_it_was_written(values: dict[str, Any], path: Path) -> None:
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False  # as DVC and `zonkey profile` write; in braces, ruamel leaves ":#" unquoted
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)
    read, want = load_config(path), parse(Config, values, "drawn")
    assert read == want and fingerprint(read) == fingerprint(want)


@CASES
@given(values=valid())
def test_a_valid_configuration_survives_json(values: dict[str, Any]) -> None:
    """As other processes and model folders get it."""
    config = parse(Config, values, "drawn")
    assert parse(Config, json.loads(config.model_dump_json()), "json") == config
    assert parse(ModelConfig, json.loads(json.dumps(config.model.model_dump(mode="json"))), "json") == config.model


# --- broken ones ------------------------------------------------------------------------------------------

leaves = st.one_of(
    plain,
    st.integers(),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 2**63, 10**400, "", "1e-2", "true", "null"]),
    st.builds(pow, st.just(16), st.just(5000)),  # which has no decimal form in Python
    st.dates(),
    st.datetimes(),
    st.binary(max_size=4),
)
keys = st.one_of(words, st.integers(-2, 3), st.booleans(), st.none(), st.floats(), st.dates())
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
KINDS = ["set", "set", "delete", "rename", "wrap", "double", "swap"]


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """A tree of parameters, changed at one to three places."""
    values = copy.deepcopy(VALUES[draw(st.integers(1, 3))])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(places(values)) or [()]))
        if not at:
            return draw(trees)
        inside, key, kind = holder(values, at), at[-1], draw(st.sampled_from(KINDS))
        if kind == "set":
            inside[key] = draw(trees)
        elif kind == "wrap":
            inside[key] = draw(st.sampled_from([[inside[key]], {str(key): inside[key]}, [inside[key], 1]]))
        elif kind == "double" and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[key]))
        elif kind == "swap":
            other = draw(st.sampled_from([two for two in places(values) if len(two) == 1 or two[:-1] == at[:-1]]))
            there = holder(values, other)
            inside[key], there[other[-1]] = there[other[-1]], copy.deepcopy(inside[key])
        else:
            value = inside.pop(key)
            if kind == "rename" and isinstance(inside, dict):
                inside[draw(keys)] = value
    return values


def usable(config: Config) -> None:
    """What a run does with its configuration before anything else."""
    assert parse(Config, json.loads(config.model_dump_json()), "json") == config
    assert len(fingerprint(config)) == 16


@CASES
@given(broken())
def test_any_tree_is_valid_or_refused(values: Any) -> None:
    try:
        config = parse(Config, values, "params.yaml")
    except ConfigError as error:
        assert one_sentence(error).startswith("params.yaml: ")
        return
    usable(config)


DEFAULT = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
SNIPPETS = [
    "&a [*a]", "*a", "!!int x", "!!python/object/apply:os.system [ls]", "2020-13-41", "0x", "._", "{", "[" * 400, "}",
    "]", ": ", "- ", "? ", "<<: *a\n", "'", '"', "|\n", ">\n", "---\n", "...\n", "%YAML 1.1\n", "#", "\t", "\n",
    "!!bool x",
    "!!binary '%'", "1" * 5000, "0x" + "f" * 5000, "1e999", ".inf", ".nan", "~", "yes", "0o9", "1_", "+", "!!float ''",
    "!!timestamp x", "!!omap [1]", "\0", "\x85", "\ufeff", "\u2028", "&a ", "!!set {", "!<x> ", "@", "`", "190:20:30",
]  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A part of a parameter file or all of it, with lines moved and characters put in and taken out."""
    start = draw(st.integers(0, len(DEFAULT)))
    lines = list(DEFAULT) if draw(st.booleans()) else DEFAULT[start : start + draw(st.integers(0, 40))]
    for _ in range(draw(st.integers(0, 3))):
        one, two = (draw(st.integers(0, max(len(lines) - 1, 0))) for _ in range(2))
        kind = draw(st.sampled_from(["delete", "double", "move", "indent", "undent", "cut"]))
        if kind == "delete":
            del lines[one : one + draw(st.integers(1, 3))]
        elif lines and kind in ("double", "move"):
            lines.insert(two, lines[one] if kind == "double" else lines.pop(one))
        elif lines and kind in ("indent", "undent"):
            lines[one] = "  " + lines[one] if kind == "indent" else lines[one].removeprefix("  ")
        elif kind == "cut":
            lines = lines[: one + 1]
    data = "".join(lines).encode()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        new = draw(st.one_of(st.sampled_from(SNIPPETS).map(str.encode), st.binary(max_size=3), words.map(str.encode)))
        data = data[:at] + new + data[at + draw(st.sampled_from([0, 0, 1, 5])) :]
    return data


@CASES
@given(data=files())
def test_any_file_is_valid_or_refused(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    try:
        config = load_config(path)
    except ConfigError as error:
        one_sentence(error, path.name)
        return
    usable(config)


@CASES
@example(text="a: !!bool x")
@example(text="a: !!int ''")
@example(text="a: 2020-13-41")
@example(text="a: " + "[" * 400)
@given(text=st.lists(st.one_of(st.sampled_from([*SNIPPETS, "a", "1", " ", "\n"]), words)).map("".join))
def test_any_text_is_a_mapping_or_refused(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    try:
        assert isinstance(read_mapping(path, YAML(typ="safe")), dict)
    except ConfigError as error:
        one_sentence(error, path.name)


# --- profiles ---------------------------------------------------------------------------------------------

names = st.sampled_from("abcde")
decimals = st.integers(0, 9999).map(lambda number: number / 1000)  # ruamel rounds the seventeenth digit
scalars = st.one_of(st.integers(0, 99), decimals, st.booleans(), st.sampled_from(["x", "y z"]))
sections = st.recursive(
    st.one_of(scalars, st.lists(scalars, max_size=3)),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def lines_of(value: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A file of block mappings in which every line that begins a value has a comment of its own."""
    for key, part in value.items():
        if isinstance(part, dict):
            yield f"{indent}{key}:"
            yield from lines_of(part, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(part)}  # of {key}"


def merged(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = values | more
    for key in values.keys() & more.keys():
        if isinstance(values[key], dict) and isinstance(more[key], dict):
            both[key] = merged(values[key], more[key])
    return both


def dumped(document: CommentedMap) -> str:
    stream = io.StringIO()
    YAML().dump(document, stream)
    return stream.getvalue()


@CASES
@given(st.dictionaries(names, sections, min_size=1, max_size=4), st.dictionaries(names, sections, max_size=3))
def test_merging_profiles_is_merging_mappings(values: dict[str, Any], more: dict[str, Any]) -> None:
    """And doing it again changes nothing, to the letter; the comments of values that stay are kept."""
    document = YAML().load("\n".join(lines_of(values)) + "\n")
    overlay = YAML().load("\n".join(lines_of(more)) + "\n") or CommentedMap()
    merge(document, overlay)
    once = dumped(document)
    assert YAML(typ="safe").load(once) == merged(values, more)
    merge(document, overlay)
    assert dumped(document) == once
    if not more:
        assert once.count("#") == sum(1 for line in lines_of(values) if "#" in line)


# --- what was found once ----------------------------------------------------------------------------------


def test_a_gradient_that_is_not_clipped_survives_json() -> None:
    values = copy.deepcopy(VALUES[1])
    values["train"]["clip"] = math.inf
    usable(parse(Config, values, "params.yaml"))


@pytest.mark.parametrize("seed", [2**53, pow(16, 5000)], ids=["2 to the 53", "of 6021 digits"])
def test_a_seed_that_nothing_can_be_seeded_with_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="'seed'") as caught:
        parse(Config, copy.deepcopy(VALUES[1]) | {"seed": seed}, "params.yaml")
    one_sentence(caught.value)


@pytest.mark.parametrize("value", ["x" * 10_000, ["y"] * 10_000, {"z" * 10_000: 1}], ids=["text", "list", "mapping"])
def test_a_value_of_any_length_is_refused_in_short(value: Any) -> None:
    with pytest.raises(ConfigError, match="'seed'") as caught:
        parse(Config, copy.deepcopy(VALUES[1]) | {"seed": value}, "params.yaml")
    one_sentence(caught.value)


@pytest.mark.parametrize("at", [("seed",), ("ablations", "variants", "reference", "changes", "seed")], ids=str)
def test_a_list_that_holds_itself_is_refused(at: Path_) -> None:
    loop: list[Any] = []
    loop.append(loop)
    values = copy.deepcopy(VALUES[1])
    holder(values, at)[at[-1]] = loop
    with pytest.raises(ConfigError) as caught:
        parse(Config, values, "params.yaml")
    one_sentence(caught.value, ".".join(map(str, at)))


def test_a_date_is_no_value_of_a_variant() -> None:
    values = copy.deepcopy(VALUES[1])
    values["ablations"]["variants"]["reference"]["changes"] = {"profile": datetime.date(2020, 1, 1)}
    with pytest.raises(ConfigError, match="changes"):
        parse(Config, values, "params.yaml")
