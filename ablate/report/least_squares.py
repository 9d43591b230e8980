"""Main effects and two-way interactions by ordinary least squares, with 95 % intervals.

Levels are coded to sum to zero: an effect is a deviation from the mean over all levels, and an
interaction what two levels add together beyond their two effects. Repeats are blocks: each has
an effect of its own, so that what a split or a seed does to all rows is no noise. What runs cannot
tell apart is not estimated: a combination of coefficients is estimable only if it lies in the row
space of the design.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.report.statistics import CONFIDENCE
from ablate.spec import Repeat

if TYPE_CHECKING:
    import numpy as np

# Of the part of a combination that lies outside the row space of the design, whose entries are
# whole numbers.
_TOLERANCE = 1e-8
_REPEAT = "repeat"

Levels = Mapping[str, str]
Term = tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """The effect of some levels.

    Attributes:
        levels: One level (a main effect) or two of two factors (an interaction).
        mean: In the unit of the values; None if it cannot be told.
        interval: Student's t; None without a measure of noise.
        missing_reason: Why it cannot be told; None if it can.
    """

    levels: dict[str, str]
    mean: float | None
    interval: tuple[float, float] | None
    missing_reason: str | None


@dataclass(frozen=True)
class Fit:
    """All effects of a table of runs.

    Attributes:
        main: Every level of every factor.
        interactions: Of every two factors; of a factor with two levels the first one alone.
        left_out: Interactions that are taken to be zero, since some pair of levels has no run.
        residual_sd: Standard deviation of the residuals; None without a repeat.
        residual_df: Their degrees of freedom.
    """

    main: tuple[Estimate, ...]
    interactions: tuple[Estimate, ...]
    left_out: dict[Term, str]
    residual_sd: float | None
    residual_df: int


def fit(
    factors: Mapping[str, Sequence[str]],
    levels: Sequence[Levels],
    repeats: Sequence[Repeat],
    values: Sequence[float],
) -> Fit:
    """Fits mean, repeats, main effects and two-way interactions. Loads statsmodels.

    Args:
        factors: The levels of each factor; two or more.
        levels: The level of each factor in every run.
        repeats: The repeat of every run.
        values: What is explained, for every run.

    Raises:
        ModuleNotFoundError: If statsmodels is not installed.
    """
    from statsmodels.regression.linear_model import OLS

    pairs = list(itertools.combinations(factors, 2))
    left_out: dict[Term, str] = {
        pair: gap for pair in pairs if (gap := _gap(factors, levels, pair))
    }
    design = _Design(factors, [pair for pair in pairs if pair not in left_out], levels, repeats)
    result = OLS(list(values), design.estimable(design.matrix)).fit()
    df = round(result.df_resid)
    # One run for each combination shows no noise: what is left then are higher interactions alone.
    cells = Counter(tuple(level[factor] for factor in factors) for level in levels)
    has_noise = max(cells.values()) > 1 and df > 0
    sd = math.sqrt(result.scale) if has_noise else None

    def estimated(own: dict[str, str]) -> Estimate:
        term = tuple(own)
        if term in left_out:
            return Estimate(own, None, None, f"no run with {left_out[term]}")
        contrast = design.contrast(own)
        if aliases := design.aliases(contrast, term):
            return Estimate(own, None, None, f"not told apart from {', '.join(aliases)}")
        combination = design.estimable(contrast)
        mean = float(combination @ result.params)
        if not has_noise:
            return Estimate(own, mean, None, None)
        ends = result.t_test(combination).conf_int(alpha=1 - CONFIDENCE)[0]
        low, high = (float(end) for end in ends)
        return Estimate(own, mean, (low, high), None)

    return Fit(
        main=tuple(estimated({name: level}) for name in factors for level in factors[name]),
        interactions=tuple(
            estimated(dict(zip(pair, both, strict=True)))
            for pair in pairs
            for both in itertools.product(*(_independent(factors[name]) for name in pair))
        ),
        left_out=left_out,
        residual_sd=sd,
        residual_df=df,
    )


def _independent(levels: Sequence[str]) -> Sequence[str]:
    """Of two levels the first: the effect of the second is the same with the other sign."""
    return levels[:1] if len(levels) == 2 else levels


def _gap(factors: Mapping[str, Sequence[str]], levels: Sequence[Levels], pair: Term) -> str | None:
    """The first two levels of two factors that no run has together."""
    seen = {tuple(level[name] for name in pair) for level in levels}
    for both in itertools.product(*(factors[name] for name in pair)):
        if both not in seen:
            return " and ".join(f"{name} {level}" for name, level in zip(pair, both, strict=True))
    return None


class _Design:
    """The design matrix, one block of columns for each term, and what can be estimated by it."""

    def __init__(
        self,
        factors: Mapping[str, Sequence[str]],
        pairs: Sequence[Term],
        levels: Sequence[Levels],
        repeats: Sequence[Repeat],
    ) -> None:
        import numpy as np

        self._factors = factors
        blocks = sorted(set(repeats))
        terms: list[Term] = [(name,) for name in factors]
        rows = [self._row(dict(level), [*terms, *pairs]) for level in levels]
        columns = [np.ones((len(levels), 1))]
        columns += [np.stack([_coded(repeat, blocks) for repeat in repeats])]
        columns += [np.stack(block) for block in zip(*rows, strict=True)]
        self.matrix = np.hstack(columns)
        names: list[Term] = [(), (_REPEAT,), *terms, *pairs]
        ends = np.cumsum([block.shape[1] for block in columns])
        starts = [0, *ends[:-1]]
        self._places = dict(zip(names, map(slice, starts, ends), strict=True))
        # Rows of ``inside`` span what the runs can tell.
        _, sizes, inside = np.linalg.svd(self.matrix, full_matrices=False)
        self._inside = inside[sizes > _TOLERANCE * sizes[0]]

    def _row(self, level: Levels, terms: Sequence[Term]) -> list[Any]:
        return [self._coded({name: level[name] for name in term}) for term in terms]

    def _coded(self, own: Levels) -> Any:
        """The code of one level, or the product of two."""
        import numpy as np

        code = np.ones(1)
        for name, level in own.items():
            code = np.kron(code, _coded(level, self._factors[name]))
        return code

    def contrast(self, own: Levels) -> "np.ndarray[Any, Any]":
        """The combination of coefficients that is the effect of these levels."""
        import numpy as np

        contrast = np.zeros(self.matrix.shape[1])
        contrast[self._places[tuple(own)]] = self._coded(own)
        return contrast

    def estimable(self, rows: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Rows over the coefficients as rows over what the runs can tell of them."""
        estimable: np.ndarray[Any, Any] = rows @ self._inside.T
        return estimable

    def aliases(self, contrast: "np.ndarray[Any, Any]", term: Term) -> list[str]:
        """The terms that the runs cannot tell it apart from; empty if it is estimable."""
        import numpy as np

        outside = contrast - self._inside.T @ (self._inside @ contrast)
        if np.abs(outside).max() <= _TOLERANCE:
            return []
        mixed = [
            " × ".join(other) or "the mean"
            for other, place in self._places.items()
            if other != term and np.abs(outside[place]).max(initial=0) > _TOLERANCE
        ]
        # A term can also be mixed with itself alone, where one of its levels has no run.
        return mixed or ["other levels of itself"]


def _coded(level: Any, levels: Sequence[Any]) -> "np.ndarray[Any, Any]":
    """The sum-to-zero code of a level: the last one is minus the sum of the others."""
    import numpy as np

    place, last = levels.index(level), len(levels) - 1
    return -np.ones(last) if place == last else np.eye(last)[place]
