"""The base of every spec, and what a table shows of it."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value; unknown keys are refused and types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


# What a table shows of one property; None: the row has no such property.
Cell = str | bool | int | float | None
