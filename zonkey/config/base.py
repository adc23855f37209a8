"""What all parameters share: frozen, strict, and the common ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**53 - 1  # the largest integer that every reader of JSON keeps; seeds are multiplied by 1000

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


class ConfigError(ValueError):
    """A parameter is unknown, missing, of the wrong type, out of range or contradicts another."""


class Frozen(BaseModel):
    """Cannot change, takes no unknown name and converts no type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")
