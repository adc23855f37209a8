"""What is wrong with parameters, in one sentence: the name, the value, the fix."""

from __future__ import annotations

import difflib
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
    "too_short": "needs at least {min_length} entries",
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
    where = cut(".".join(str(part) for part in first["loc"] if part != "[key]"))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if first["type"] in unknown:
        near = nearest(first["loc"][-1], names(kind.model_json_schema(), first["loc"][:-1]))
        return f"unknown parameter {where!r}{near}{more}"
    if first["type"] == "missing":
        return f"parameter {where!r} is missing; add it (see profiles/ for values){more}"
    message = cut(first["msg"].removeprefix("Value error, "), 3 * LONGEST)
    if first["type"] == "value_error":
        return f"{where}: {message}{more}" if where else f"{message}{more}"
    words = WORDS.get(first["type"])
    said = words.format(**first.get("ctx", {})) if words else message[0].lower() + message[1:]
    return f"parameter {where!r} is {shown(first['input'])}; it {said}{more}"


def shown(value: Any) -> str:
    """A value in short, or what it is where it has no written form that a sentence could hold."""
    if isinstance(value, int) and abs(value) >= 10**DIGITS:
        return f"a whole number of more than {DIGITS} digits"
    try:
        return reprlib.repr(value)
    except (ValueError, RecursionError):  # such a number within
        return f"a value of type {type(value).__name__}"


def cut(words: str, longest: int = LONGEST) -> str:
    """The words, or how they begin."""
    return words if len(words) <= longest else f"{words[:longest]}..."


def nearest(name: Any, known: Iterable[str], said: str = "nearest known name") -> str:
    """The end of a sentence that names what comes closest; nothing where nothing is known."""
    near = difflib.get_close_matches(cut(str(name)), list(known), n=1, cutoff=0.0)
    return f"; the {said} is {near[0]!r}" if near else ""


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
