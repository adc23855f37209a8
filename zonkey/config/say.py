"""What is wrong with parameters, in one sentence: the name, the value, the fix."""

from __future__ import annotations

import difflib
import json
import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

LONGEST = 200  # characters of a name, or of what a library says, in a sentence
DIGITS = 40  # of a whole number; Python refuses to write some thousands
WORDS = {  # by pydantic's kind of error, with what it knows about the limit
    "missing": "is missing",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of parameters",
    "model_attributes_type": "must be a mapping of parameters",
    "tuple_type": "must be a list",
    "too_short": "needs an entry",
    "too_long": "has more than {max_length} entries",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}


def sentence(kind: type[BaseModel], error: ValidationError) -> str:
    """The first error, an unknown name before all others: a misspelt name is missing, too."""
    found = error.errors(include_url=False)
    unknown = ("extra_forbidden", "invalid_key")  # the latter is no text
    first: Mapping[str, Any] = min(found, key=lambda one: one["type"] not in unknown)
    place = first["loc"][:-2] if first["loc"][-1:] == ("[key]",) else first["loc"]  # of a key its value speaks
    where = cut(".".join(map(str, place)))
    if first["type"] in unknown:
        absent = {one["loc"] for one in found if one["type"] == "missing"}
        known = names(kind.model_json_schema(), place[:-1])
        more = _others(len(found) - 1 - ((*place[:-1], close(place[-1], known)) in absent))
        return f"unknown parameter {where!r}{nearest(place[-1], known)}{more}"
    more = _others(len(found) - 1)
    if first["type"] == "missing":
        written = where in ("profile", "pipeline")
        fix = "run `zonkey profile NAME`, which writes it" if written else "add it (profiles/default.yaml has a value)"
        return f"parameter {where!r} is missing; {fix}{more}"
    message = cut(first["msg"].removeprefix("Value error, "), 3 * LONGEST)
    if first["type"] == "value_error":
        return f"{where}: {message}{more}" if where else f"{message}{more}"
    words = WORDS.get(first["type"])
    said = words.format(**first.get("ctx", {})) if words else message[0].lower() + message[1:]
    value = first["input"]
    if isinstance(value, float) and math.isnan(value):
        said = f"must be a number, {said.removeprefix('must be ')}"
    if first["type"] == "string_type" and isinstance(value, int | float):
        said += f": write it in quotes, {str(shown(value))!r}"
    return f"parameter {where!r} is {shown(value)}; it {said}{more}"


def _others(count: int) -> str:
    plural = "others are" if count > 1 else "other is"
    return f"; {count} {plural} wrong, too" if count else ""


def shown(value: Any) -> str:
    """A value in short, or what it is where it has no written form that a sentence could hold."""
    if isinstance(value, int) and abs(value) >= 10**DIGITS:
        return f"a whole number of more than {DIGITS} digits"
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # as in YAML
    try:
        return reprlib.repr(value)
    except (ValueError, RecursionError):  # such a number within
        return f"a value of type {type(value).__name__}"


def cut(words: str, longest: int = LONGEST) -> str:
    """The words, or how they begin."""
    return words if len(words) <= longest else f"{words[:longest]}..."


def close(name: Any, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, if any is like it."""
    return next(iter(difflib.get_close_matches(cut(str(name)), list(known), n=1, cutoff=0.5)), None)


def nearest(name: Any, known: Iterable[str], said: str = "nearest known name") -> str:
    """The end of a sentence that names what comes closest, or what there is; nothing where nothing is known."""
    known = sorted(known)
    if (meant := close(name, known)) is not None:
        return f"; the {said} is {meant!r}"
    return f"; known: {cut(', '.join(known))}" if known else ""


def names(schema: Mapping[str, Any], place: Iterable[str | int]) -> list[str]:
    """The parameters that there are at a place of a JSON schema."""
    node = schema
    for part in place:
        node = _resolved(schema, node)
        if isinstance(part, int):
            node = node["items"]
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:  # a mapping with names of its own
            node = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties", {}))
    return sorted(_resolved(schema, node).get("properties", {}))


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
