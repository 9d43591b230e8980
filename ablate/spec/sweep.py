"""A sweep: which variants, seeds and protocol belong together, and what they are to show."""

import math
from collections import Counter
from typing import Annotated, Any

from pydantic import Field, model_validator

from ablate.spec.canonical import canonical_json
from ablate.spec.frozen import Frozen
from ablate.spec.match import Match
from ablate.spec.split import MAX_SPLITS, Seed
from ablate.spec.tuning import Tuning

# More repeats of every row than any study has.
MAX_SEEDS = 1_000

JUST_AHEAD = "> 0"
"""What a comparison claims of a difference unless it says more."""

# Of MIoU, which has a hundred of them.
Points = Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)]

Factors = dict[str, tuple[Any, ...]]


class Comparison(Frozen):
    """One sentence of the paper that the runs can support or contradict.

    Attributes:
        claim: The sentence.
        better: The variant that the sentence puts ahead (by MIoU).
        worse: The variants that it puts behind.
        by: How far ahead at least, in percentage points; None: at all.
        equal_within: The sentence says instead that they are equal: none is ahead of the other by
            so many percentage points; None: it says that one is ahead.
    """

    claim: str
    better: str
    worse: tuple[str, ...] = Field(min_length=1)
    by: Points | None = None
    equal_within: Points | None = None

    @model_validator(mode="after")
    def _claims_one_thing(self) -> "Comparison":
        if self.by is not None and self.equal_within is not None:
            raise ValueError("by goes with being ahead, equal_within with being equal: give one")
        return self

    def boundary(self, difference: float) -> float:
        """The difference at which the claim begins to hold, the one that is nearer.

        Args:
            difference: MIoU of ``better`` minus that of a ``worse``; percentage points.
        """
        if self.equal_within is not None:
            return math.copysign(self.equal_within, difference)
        return self.by or 0.0

    def beyond(self, difference: float) -> float:
        """How far a difference lies on the claim's side of the boundary; below 0: on the other.

        Args:
            difference: MIoU of ``better`` minus that of a ``worse``; percentage points.
        """
        if self.equal_within is not None:
            return self.equal_within - abs(difference)
        return difference - self.boundary(difference)

    @property
    def claimed(self) -> str:
        """What is claimed of each difference, in points."""
        if self.equal_within is not None:
            return f"within ±{self.equal_within:g}"
        return JUST_AHEAD if self.by is None else f"≥ {self.by:g}"


class Sweep(Frozen):
    """Which runs make one table.

    Attributes:
        name: The file's stem.
        title: The table's heading.
        protocol: The protocol, unless the command line names another.
        seeds: The seeds, unless the command line names others.
        splits: On how many splits every row is repeated with each of the seeds, unless the command
            line names another number; the first is the protocol's own.
        baseline: The variant that every Δ is taken to; None: no Δ.
        published: The published table that stands beside the runs (``reports/published``).
        comparisons: The paper's sentences about the rows.
        variants: The rows, in the table's order.
        base: The variant that factors alter.
        factors: Dotted field → values; the rows are the cartesian product.
        zip: Dotted field → values of equal number, taken in step.
        exclude: Partial assignments of factors that are left out.
        match: Equal numbers of parameters: what every row has as its own ``match`` that has none,
            has the field, and is not the variant to be reached. Rows keep their names.
        tune: What ``ablate tune`` may alter; None: the sweep cannot be tuned.
    """

    name: str
    title: str
    protocol: str
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=MAX_SEEDS)
    splits: int = Field(default=1, ge=1, le=MAX_SPLITS)
    baseline: str | None = None
    published: str | None = None
    comparisons: tuple[Comparison, ...] = ()
    variants: tuple[str, ...] = ()
    base: str | None = None
    factors: Factors = Field(default_factory=dict)
    zip: Factors = Field(default_factory=dict)
    exclude: tuple[dict[str, Any], ...] = ()
    match: Match | None = None
    tune: Tuning | None = None

    @model_validator(mode="after")
    def _rows_exist(self) -> "Sweep":
        fields = self.factors.keys() | self.zip.keys()
        if not self.variants and not fields:
            raise ValueError("no rows: give variants, or base with factors or zip")
        if bool(fields) != (self.base is not None):
            raise ValueError("base goes with factors or zip: give both or neither")
        if shared := self.factors.keys() & self.zip.keys():
            raise ValueError(f"in factors and in zip: {', '.join(sorted(shared))}; name each once")
        if len({len(values) for values in self.zip.values()}) > 1:
            raise ValueError("the lists of zip differ in length")
        for factor, values in (self.factors | self.zip).items():
            if not values:
                raise ValueError(f"factor {factor} has no values")
        for assignment in self.exclude:
            if unknown := assignment.keys() - fields:
                raise ValueError(f"exclude: not a factor: {', '.join(sorted(unknown))}")
        lists: dict[str, tuple[Any, ...]] = {"variants": self.variants, "seeds": self.seeds}
        lists |= {f"factor {name}": values for name, values in self.factors.items()}
        for what, values in lists.items():
            counts = Counter(canonical_json(value) for value in values)
            repeated = [text for text, count in counts.items() if count > 1]
            if repeated:
                raise ValueError(f"{what} lists {', '.join(repeated)} twice; list each once")
        return self
