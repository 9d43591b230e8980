"""What ``ablate tune`` may alter in the rows of a sweep, and what decides between settings."""

import math

from pydantic import Field, model_validator

from ablate.spec.canonical import canonical_json
from ablate.spec.frozen import Frozen
from ablate.spec.split import Seed, Share
from ablate.spec.task import PixelMetricName

# More fields than a sensible number of trials can tell apart.
MAX_TUNED_FIELDS = 16
MAX_CHOICES = 256

Number = int | float
Scalar = bool | int | float | str


class Domain(Frozen):
    """The values that one field may take: a range, or a list of choices.

    Attributes:
        low: The lower end of a range.
        high: Its upper end, which is part of it.
        log: Whether equal factors are equally likely, instead of equal differences.
        step: The values of the range are low, low + step, low + 2·step and so on; None: all whole
            numbers where the field takes whole numbers, else all real ones.
        choices: The values, none of which is nearer to another than the rest.
    """

    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Number | None = Field(default=None, gt=0)
    choices: tuple[Scalar, ...] = Field(default=(), max_length=MAX_CHOICES)

    @model_validator(mode="after")
    def _is_a_range_or_choices(self) -> "Domain":
        if self.choices:
            if (self.low, self.high, self.step) != (None, None, None) or self.log:
                raise ValueError(
                    "choices go without low, high, log and step: give one or the other"
                )
            words = [canonical_json(choice) for choice in self.choices]
            if twice := [word for word in dict.fromkeys(words) if words.count(word) > 1]:
                raise ValueError(f"choices lists {', '.join(twice)} twice; list each once")
            if len(words) == 1:
                raise ValueError(
                    f"one choice, {words[0]}, leaves nothing to tune; give two or more"
                )
            return self
        if self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"low {self.low} and high {self.high} must be finite")
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low} has no logarithm; give one above 0, or no log")
        if self.log and self.step is not None:
            raise ValueError("step goes with equal differences, log with equal factors; give one")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step {self.step} is longer than the range from low to high")
        return self

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The choices, or the ends of the range."""
        if self.choices:
            return self.choices
        return tuple(end for end in (self.low, self.high) if end is not None)

    def describe(self) -> str:
        """One line: ``1e-4 to 1e-2 (log)`` or ``4 | 8 | 16``."""
        if self.choices:
            return " | ".join(str(choice) for choice in self.choices)
        how = ["log"] if self.log else []
        how += [] if self.step is None else [f"in steps of {self.step:g}"]
        return f"{self.low:g} to {self.high:g}" + (f" ({', '.join(how)})" if how else "")


class Tuning(Frozen):
    """What ``ablate tune`` does with the rows of a sweep.

    Attributes:
        space: Dotted field of the protocol (as ``--set`` has it) or of the variant (as ``factors``
            has it) → the values that it may take. A field that a row does not have is left out for
            that row.
        metric: The score on the inner validation images that decides between the settings of a row;
            the highest is the best.
        validation_share: The share of the training images that judges the settings; the sweep's own
            validation images are not looked at.
        seed: Seed of the shuffle that picks these images.
    """

    space: dict[str, Domain] = Field(min_length=1, max_length=MAX_TUNED_FIELDS)
    metric: PixelMetricName = "miou"
    validation_share: Share = 0.3
    seed: Seed = 0
