"""What all parameters share: frozen, strict, and the common ranges."""

from __future__ import annotations

import re
import reprlib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

MOST = 2**31 - 1  # of anything that is counted
DEEPEST = 8  # levels

Count = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Size = Annotated[int, Field(ge=1, le=2**16)]  # of a part of the network: beyond, no machine holds it
Layers = Annotated[int, Field(ge=1, le=256)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, le=1000)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


class ConfigError(ValueError):
    """A parameter is unknown, missing, of the wrong type, out of range or contradicts another."""


class Frozen(BaseModel):
    """Cannot change, takes no unknown name and converts no type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")


def matching(pattern: str, says: str) -> AfterValidator:
    """Refuse what does not match all of ``pattern``, saying ``says`` of the value."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{reprlib.repr(value)} {says}")
        return value

    return AfterValidator(check)


_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_WORD = r"[A-Za-z0-9_]+"
_REPOSITORY = rf"(?:{_PLAIN}/)?{_PLAIN}"
_WITH_GAP = r"(?s:.*\{gap(?::[0-9]+)?\}.*)"

# Files and folders are called by it, so it must not lead out of where they belong.
Name = Annotated[
    str,
    matching(_PLAIN, "is no plain name; begin with a letter, digit or '_', and write only these, '.' and '-'"),
    WithJsonSchema({"type": "string", "pattern": f"^{_PLAIN}$"}),
]
Word = Annotated[
    str,
    matching(_WORD, "is no word; write letters, digits and '_' only"),
    WithJsonSchema({"type": "string", "pattern": f"^{_WORD}$"}),
]
Repository = Annotated[
    str,
    matching(_REPOSITORY, "is no name of a repository on the hub; write owner/name"),
    WithJsonSchema({"type": "string", "pattern": f"^{_REPOSITORY}$"}),
]
TextWithGap = Annotated[
    str,
    matching(_WITH_GAP, "has no gap; write {gap} or {gap:12} where text is missing"),
    WithJsonSchema({"type": "string", "pattern": f"^{_WITH_GAP}$"}),
]
