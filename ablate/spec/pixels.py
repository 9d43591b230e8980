"""How the numbers in image and mask files are read, where that cannot be told from the files."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ablate.spec.frozen import Frozen

_MAX_BANDS = 65_535  # TIFF counts bands in 16 bits

Band = Annotated[int, Field(ge=0, lt=_MAX_BANDS)]
Percent = Annotated[float, Field(ge=0, le=100)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# Far above any satellite's.
Metres = Annotated[float, Field(gt=0, lt=1e6)]
Label = Annotated[int, Field(ge=-(2**31), lt=2**32)]


class LinearScale(Frozen):
    """A straight line: ``low`` becomes 0, ``high`` 255; what lies beyond is clipped.

    Attributes:
        kind: The discriminator.
        low: The value that becomes 0.
        high: The value that becomes 255.
    """

    kind: Literal["linear"]
    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _rises(self) -> "LinearScale":
        _check_rising(self.low, self.high)
        return self


class PercentileScale(Frozen):
    """A straight line between two percentiles of each band, taken over the training images alone.

    Attributes:
        kind: The discriminator.
        low: The percentile that becomes 0.
        high: The percentile that becomes 255.
    """

    kind: Literal["percentiles"]
    low: Percent
    high: Percent

    @model_validator(mode="after")
    def _rises(self) -> "PercentileScale":
        _check_rising(self.low, self.high)
        return self


Scale = LinearScale | PercentileScale


class MaskValues(Frozen):
    """Which values of a mask are positive: by a list of values, or above a threshold.

    There is no value that training ignores: each one is positive or negative.

    Attributes:
        positive: The values of the positive class. Of a palette that is not grey: its indices.
        negative: All other values that masks may hold; one that is in neither list is refused.
            Empty: 0 alone. Not with a threshold.
        threshold: Values above it are positive: for masks that lossy compression has blurred.
    """

    positive: tuple[Label, ...] = ()
    negative: tuple[Label, ...] = ()
    threshold: Finite | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "MaskValues":
        if self.threshold is not None and (self.positive or self.negative):
            raise ValueError("either positive (with negative) or threshold can be given, not both")
        if self.threshold is None and not self.positive:
            raise ValueError("positive is empty, and there is no threshold")
        if both := sorted(set(self.positive) & set(self.negatives)):
            raise ValueError(f"{both[0]} is both positive and negative")
        return self

    @property
    def negatives(self) -> tuple[int, ...]:
        """The values that count as negative."""
        return self.negative or (() if 0 in self.positive else (0,))


def _check_rising(low: float, high: float) -> None:
    if low >= high:
        raise ValueError(f"low {low} is not below high {high}")
