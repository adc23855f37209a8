"""Every parameter, read off the schema of the configuration: missing, unknown, ill-typed, out of range; and files."""

from __future__ import annotations

import copy
import functools
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.model.build import raw
from tests.pipeline.refusals import keep, refused
from zonkey.cli import main
from zonkey.config import Config, ConfigError, parse

SCHEMA = Config.model_json_schema()
VALUES = raw()
Place = tuple[str | int, ...]
Node = dict[str, Any]


def resolved(node: Node) -> Node:
    return SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def places(node: Node, values: Any, at: Place = ()) -> Iterator[tuple[Place, Node]]:
    """Every parameter of the schema, and the sections; of lists and of mappings with free names, the first entry."""
    node = resolved(node)
    if at:
        yield at, node
    if "properties" in node:
        for name, inner in node["properties"].items():
            yield from places(inner, values[name], (*at, name))
    elif "items" in node:
        yield from places(node["items"], values[0], (*at, 0))
    else:
        free = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
        if isinstance(free[0], dict) and values:
            first = next(iter(values))
            yield from places(free[0], values[first], (*at, first))


PLACES = dict(places(SCHEMA, VALUES))
PARAMETERS = [at for at in PLACES if at[0] != "pipeline"]  # derived from the rest
BUDGET = next(iter(VALUES["budgets"]))
NUMBERS = [at for at in PARAMETERS if PLACES[at].get("type") in ("integer", "number")]
WITHOUT_END = {"losses", "learning_rate", "matrix_learning_rate", "weight_decay", "clip", "passes", "capacity"} | {
    "foresight",
    "decisiveness",
    "locality",
}  # weights and rates: any finite number has a meaning
UNBOUNDED = {"clip"}  # infinity has one, too: nothing is clipped


def named(at: Place) -> str:
    return ".".join(map(str, at))


def is_free(at: Place) -> bool:
    """Whether its name is free: an entry of a mapping that may hold any number of them."""
    return isinstance(at[-1], str) and len(at) > 1 and "properties" not in PLACES[at[:-1]]


def changed(at: Place, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    holder: Any = values
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = value
    return values


def said(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(Config, values, "params.yaml")
    message = str(caught.value)
    assert message.startswith("params.yaml: ") and "\n" not in message and len(message) < 500, message
    keep("params.yaml", message)
    return message


def test_the_schema_covers_what_the_file_holds() -> None:
    def leaves(value: Any, at: Place = ()) -> Iterator[Place]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
        if inner is None or not value:
            yield at
            return
        for key, part in inner:
            yield from leaves(part, (*at, key))

    def plain(at: Place) -> Place:
        free = {name for place in PLACES if is_free(place) for name in held_in(place[:-1])}
        return tuple("*" if isinstance(part, int) or part in free else part for part in at)

    def held_in(at: Place) -> Iterator[str]:
        return iter(functools.reduce(lambda inside, key: inside[key], at, VALUES))

    held = {plain(at) for at in leaves(VALUES) if "changes" not in at}
    assert held <= {plain(at) for at in PLACES}, "the tests below miss these"
    assert len(PARAMETERS) > 150


@pytest.mark.parametrize("at", [at for at in PARAMETERS if isinstance(at[-1], str) and not is_free(at)], ids=named)
def test_missing(at: Place) -> None:
    values = copy.deepcopy(VALUES)
    holder: Any = values
    for key in at[:-1]:
        holder = holder[key]
    del holder[at[-1]]
    message = said(values)
    fix = "run `zonkey profile NAME`" if at in (("profile",), ("pipeline",)) else "add it (profiles/default.yaml has"
    assert f"parameter {named(at)!r} is missing; {fix}" in message


@pytest.mark.parametrize(
    "at", [at for at in PLACES if "properties" in PLACES[at]] + [()], ids=lambda at: named(at) or "-"
)
def test_unknown_names_the_nearest_of_its_section(at: Place) -> None:
    node = PLACES[at] if at else SCHEMA
    for name in node["properties"]:
        misspelt = f"{name[:-1]}_{name[-1]}"
        message = said(changed((*at, misspelt), 1))
        assert f"unknown parameter {named((*at, misspelt))!r}; the nearest known name is {name!r}" in message


def test_a_misspelt_name_counts_before_the_one_that_is_missing() -> None:
    values = copy.deepcopy(VALUES)
    values["data"]["sede"] = values["data"].pop("seed")
    assert said(values).endswith("unknown parameter 'data.sede'; the nearest known name is 'seed'")
    values["data"] |= {"pth": values["data"].pop("path"), "documents": "many"}
    assert said(values).endswith("the nearest known name is 'seed'; 3 others are wrong, too")


@pytest.mark.parametrize("at", PARAMETERS, ids=named)
def test_ill_typed(at: Place) -> None:
    node = PLACES[at]
    kinds = {one.get("type") for one in node.get("anyOf", [node])}
    examples = {"integer": 3, "number": 0.25, "string": "odd", "boolean": True, "null": None, "array": [], "object": {}}
    wrong = {kind: value for kind, value in examples.items() if kind not in kinds}
    if "number" in kinds:
        del wrong["integer"]
    assert len(wrong) >= 4
    for value in wrong.values():
        message = said(changed(at, value))
        written = {None: "null", True: "true"}.get(value, repr(value)) if not isinstance(value, list | dict) else value
        assert f"parameter {named(at)!r} is {written}; it must be" in message, message


@pytest.mark.parametrize("at", NUMBERS, ids=named)
def test_numbers_have_a_range(at: Place) -> None:
    """Both ends, except where any number has a meaning; what is not a number, and minus infinity, are in none."""
    node = PLACES[at]
    lowest, highest = node.get("minimum"), node.get("maximum")
    over, under = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    assert lowest is not None or over is not None, "give it a least value"
    assert highest is not None or under is not None or WITHOUT_END & {*map(str, at)}, "give it a greatest value"
    wrong = [over, under, lowest - 1 if lowest is not None else None, highest + 1 if highest is not None else None]
    values = [value for value in wrong if value is not None]
    if node["type"] == "integer":
        values = [int(value) for value in values]
    infinite = [] if at[-1] in UNBOUNDED else [math.inf]
    for value in [*values, math.nan, -math.inf, *infinite]:
        assert f"parameter {named(at)!r} is {value!r}; it must be" in said(changed(at, value))


@pytest.mark.parametrize("at", [at for at in PARAMETERS if "enum" in PLACES[at]], ids=named)
def test_choices_are_listed(at: Place) -> None:
    message = said(changed(at, "odd"))
    assert f"parameter {named(at)!r} is 'odd'; it must be one of" in message
    assert all(repr(choice) in message for choice in PLACES[at]["enum"])


@pytest.mark.parametrize("at", [at for at in PARAMETERS if PLACES[at].get("minItems")], ids=named)
def test_lists_that_must_not_be_empty(at: Place) -> None:
    assert f"parameter {named(at)!r} is []; it needs an entry" in said(changed(at, []))


@pytest.mark.parametrize("at", [at for at in PARAMETERS if "pattern" in PLACES[at]], ids=named)
@pytest.mark.parametrize("value", ["../up", "/etc", "a/../../b", "..", ".", "", "a\n", "a\0b", "~", "$HOME"])
def test_names_that_lead_elsewhere(at: Place, value: str) -> None:
    message = said(changed(at, value))
    assert message.startswith(f"params.yaml: {named(at)}: ") and ("; write " in message or "; begin with " in message)


@pytest.mark.parametrize("name", ["../up", "a b", "", "a.b", "é", "x;rm"])
@pytest.mark.parametrize(
    ("at", "value"),
    [(("ablations", "variants"), {"title": "t", "changes": {}}), (("budgets",), {"steps": 1.0, "text": 1.0})],
    ids=["variant", "budget"],
)
def test_variants_and_budgets_have_plain_names(at: Place, value: Node, name: str) -> None:
    """They become file names and words of a shell command."""
    message = said(changed((*at, name), value))
    assert "is no word" in message and "letters, digits and '_' only" in message


INJECTIONS = {  # what DVC would put into a shell command as it stands
    "profile": ("profile", "x; touch made #"),
    "profile, elsewhere": ("profile", "../../made"),
    "seed": ("seeds", ["0; touch made"]),
    "budget": ("budgets", {"x; touch made": {"steps": 1.0, "text": 1.0}}),
    "variant": ("ablations.variants", {"x; touch made": {"title": "t", "changes": {}}}),
    "level": ("pipeline.train", {"0; touch made": "data/corpus/corpus.json"}),
    "corpus": ("pipeline.prepare", "x; touch made"),
}


@pytest.mark.parametrize("kind", INJECTIONS)
def test_what_becomes_a_command_is_checked_first(kind: str, folder: Path, capsys: pytest.CaptureFixture) -> None:
    name, value = INJECTIONS[kind]
    values = changed(tuple(name.split(".")), value)
    with (folder / "params.yaml").open("w", encoding="utf-8") as stream:
        YAML().dump(values, stream)
    refused(capsys, ["check"], "params.yaml: ", name.rpartition(".")[0])


def test_make_checks_the_parameters_before_dvc_reads_them(root: Path) -> None:
    rules = re.findall(r"(?m)^([a-z-]+):[^\n]*##.*\n((?:\t.*\n)+)", (root / "Makefile").read_text(encoding="utf-8"))
    running = {name: lines for name, lines in rules if "\tdvc " in lines}
    assert set(running) >= {"repro", "suites", "publish"}
    for name, lines in running.items():
        assert "\tzonkey check\n" in lines[: lines.index("\tdvc ")], name


def test_valid_parameters_are_told_in_a_line(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "params.yaml: profile default, 2 levels\n"


def test_every_file_name_in_the_parameters_is_guarded() -> None:
    """``dvc.yaml`` makes paths and commands of these, so they have a pattern."""
    assert "pattern" in PLACES[("profile",)]
    for at in (("ablations", "variants"), ("budgets",)):
        assert list(resolved(PLACES[at])["patternProperties"]) == ["^[A-Za-z0-9_]+$"]
    for at in (("seed",), ("seeds", 0), ("budgets", BUDGET, "steps"), ("budgets", BUDGET, "text")):
        assert PLACES[at]["type"] in ("integer", "number")
    used = set()
    for path in (Path("dvc.yaml"), Path("suites/dvc.yaml")):
        text = (Path(__file__).resolve().parents[2] / path).read_text(encoding="utf-8")
        used |= set(re.findall(r"\$\{(.*?)\}", text))
    assert used == {
        *("profile", "pipeline.prepare", "pipeline.train", "pipeline.finetune", "seed", "seeds", "ablations.variants"),
        *("budgets", "key", "item", "item.steps", "item.text"),
    }, "say in a test that the new one cannot lead elsewhere"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {("model", "levels", 1, "width"): 64},
            ("model: levels.1.width is 64", "must be 32, width times"),
        ),
        ({("model", "levels", 0, "heads"): 3}, ("model.levels.0", "width 16", "heads 3")),
        ({("model", "levels", 0, "vectors"): 8}, ("model.levels.0", "vectors 8", "window 8")),
        (
            {("model", "levels", 0, "target_rate"): 0.1},
            ("model.levels.0", "target_rate 0.1", "above 10, and window is 8"),
        ),
        ({("data", "source"): "text"}, ("source is 'text'", "path is empty", "set data.path to a local file")),
        ({("data", "test"): 0.6, ("data", "validation"): 0.35}, ("judge + validation + test",)),
        ({("data", "max_bytes"): 10, ("data", "min_bytes"): 20}, ("max_bytes is 10", "min_bytes 20")),
        ({("data", "max_bytes"): 5000}, ("data.max_bytes is 5000", "model.max_text_bytes 4096", "lower the first")),
        ({("train", "levels"): VALUES["train"]["levels"][:1]}, ("model.levels has 2", "train.levels 1")),
        ({("train", "flow", "micro_batches"): 3}, ("train.flow", "batch 2", "3 micro_batches", "a multiple of 3")),
        ({("train", "processes"): 4}, ("train.levels.0", "batch 2", "4 processes", "multiple of 4")),
        ({("baselines", "language", "heads"): 5}, ("baselines.language", "width 84", "heads 5")),
        (
            {("baselines", "language", "context"): 999},
            ("language.context is 999", "stage.bytes 128", "lower the first"),
        ),
        ({("ablations", "steps"): [1]}, ("ablations: levels is 2, and steps has 1; give one for each level",)),
        ({("seeds",): [1, 0, 1]}, ("seeds [1, 0, 1] hold 1 more than once",)),
        ({("sample", "gaps"): ["{gap} a", "no mark"]}, ("sample.gaps.1", "'no mark' has no gap", "{gap:12}")),
        (
            {("data", "source"): "text", ("data", "path"): "data/corpus/train.bin"},
            ("data/corpus", "into another folder"),
        ),
        ({("data", "source"): "text", ("data", "path"): "../*.txt"}, ("'..'", "where the pipeline writes")),
        ({("data", "source"): "text", ("data", "path"): "/*.txt"}, ("'/'", "where the pipeline writes")),
        ({("pipeline", "finetune"): "models/level7"}, ("pipeline.finetune", "models/level1", "run `zonkey profile`")),
    ],
    ids=lambda value: named(next(iter(value))) if isinstance(value, dict) else "",
)
def test_contradictions(changes: dict[Place, Any], says: tuple[str, ...]) -> None:
    values = copy.deepcopy(VALUES)
    for at, value in changes.items():
        holder: Any = values
        for key in at[:-1]:
            holder = holder[key]
        holder[at[-1]] = value
    message = said(values)
    assert all(words in message for words in says), message


# --- from the command line ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the parameters and profiles."""
    shutil.copy(root / "params.yaml", tmp_path)
    shutil.copytree(root / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds nothing, not a mapping"),
        (b"[1]", "holds a list, not a mapping"),
        (b"seed", "holds 'seed', not a mapping"),
        (b"0x1" + b"0" * 5000, "holds a whole number of more than 40 digits, not a mapping"),
        (b"a: b: c", "not valid YAML: line 1: mapping values are not allowed here"),
        (b"a: 1\n\tb: 2\n", "not valid YAML: line 2: found character '\\t'"),
        (b"seed: 0\nseed: 1\n", "not valid YAML: line 2"),
        (b"a: *b", "not valid YAML: line 1: found undefined alias 'b'"),
        (b"--- 1\n--- 2\n", "not valid YAML"),
        (b"a: 2001-99-99", "not valid YAML: month must be in 1..12"),
        (b"a: \x00", "not valid YAML"),
        (b"\xff\xfea: 1", "is not UTF-8 text: byte 0 is 0xff"),
        (b"a: " + b"[" * 700, "not valid YAML"),
        (b"model: 3\ndata: 4\n", "parameter 'profile' is missing"),
        (b"1: 2\n", "unknown parameter '1'"),
    ],
    ids=lambda value: (
        value[:24].decode("latin-1").encode("unicode_escape").decode() if isinstance(value, bytes) else ""
    ),
)
def test_files_that_hold_no_parameters(folder: Path, content: bytes, says: str, capsys: pytest.CaptureFixture) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    for command in (["check"], ["profile"], ["speed", "--steps", "1"]):
        refused(capsys, command, "params.yaml", says)
        assert path.read_bytes() == content and {one.name for one in folder.iterdir()} == {"params.yaml", "profiles"}


def test_a_file_makes_no_objects(folder: Path, capsys: pytest.CaptureFixture) -> None:
    (folder / "params.yaml").write_text("seed: !!python/object/apply:os.system ['touch made']")
    refused(capsys, ["speed", "--steps", "1"], "not valid YAML: line 1: could not determine a constructor")
    refused(capsys, ["profile"], "params.yaml")  # keeps tags as they are, and makes nothing of them
    assert not (folder / "made").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("model=3", "parameter 'model' is 3; it must be a mapping"),
        ("model.levels=3", "parameter 'model.levels' is 3; it must be a list"),
        ("data.path=5", "parameter 'data.path' is 5; it must be text"),
        ("seed=[", "the value of 'seed=[' is not valid YAML: line 1"),
        ("seed=!!python/object/apply:os.system ['touch x']", "is not valid YAML: line 1: could not determine"),
        ("seed=1e2", "parameter 'seed' is 100.0; it must be a whole number"),
        ("seed=99999999999", "parameter 'seed' is 99999999999; it must be below 4294967296"),
        ("profile=../../elsewhere", "profile: '../../elsewhere' is no plain name"),
        ("data.hub_name=../corpus", "data.hub_name: '../corpus' is no name of a repository on the hub"),
        ("model.levels.9.width=3", "unknown parameter 'model.levels.9.width'; model.levels has entries 0 to 1"),
        ("train.stepz=3", "unknown parameter 'train.stepz'; known: checkpoint_every, "),
    ],
)
def test_values_given_to_a_profile(folder: Path, given: str, says: str, capsys: pytest.CaptureFixture) -> None:
    before = (folder / "params.yaml").read_bytes()
    refused(capsys, ["profile", "tiny", "--set", given], says)
    assert (folder / "params.yaml").read_bytes() == before and not (folder / "x").exists()


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "profiles/tiny", "tiny.yaml", ".", ""])
def test_a_profile_is_a_name_and_no_path(folder: Path, name: str, capsys: pytest.CaptureFixture) -> None:
    shutil.copy(folder / "profiles" / "tiny.yaml", folder)  # what ../tiny would be
    refused(capsys, ["profile", name], f"there is no profile {name!r}; ", "tiny")


def test_a_link_in_the_place_of_a_deeper_model_is_taken_away_alone(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "weights").write_text("years of work")
    (folder / "models").mkdir()
    (folder / "models" / "level5").symlink_to(folder / "mine")
    assert main(["profile", "tiny"]) == 0
    assert not (folder / "models" / "level5").is_symlink() and (folder / "mine" / "weights").exists()


def test_the_parameters_of_every_profile_are_valid(folder: Path) -> None:
    for name in sorted(path.stem for path in (folder / "profiles").glob("*.yaml")):
        assert main(["profile", name]) == 0
        parse(Config, YAML(typ="safe").load(folder / "params.yaml"), name)
