"""The base of every spec."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value; unknown keys are refused and types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
