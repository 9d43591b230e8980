"""What an estimated difference can bear: how likely its sign is wrong, what could be told at all.

A difference d with standard error s that is itself estimated follows Student's t around the truth:
d/s with ν degrees of freedom, shifted by truth/s (the noncentral t distribution).
"""

import math
from collections.abc import Iterable

from ablate.report.statistics import CONFIDENCE
from ablate.spec import Frozen

POWER = 0.8
"""How often a difference is to be told from zero, of the sweeps in which it is there."""

# Beyond so many critical values the power is 1 in all decimals, and scipy's series may not end.
_CERTAIN = 100.0


class Variance(Frozen):
    """An estimated variance.

    Attributes:
        value: In squared units of what varies.
        df: The degrees of freedom of the estimate.
    """

    value: float
    df: float

    @property
    def se(self) -> float:
        """The standard error: its root."""
        return math.sqrt(self.value)


def sum_of(parts: Iterable[Variance]) -> Variance:
    """The sum of independent variances, with the degrees of freedom of Satterthwaite (1946)."""
    kept = [part for part in parts if part.value > 0]
    total = math.fsum(part.value for part in kept)
    # Relative to the total, so that no square of a tiny variance underflows.
    squares = math.fsum((part.value / total) ** 2 / part.df for part in kept)
    return Variance(value=total, df=1 / squares if squares else 1)


def probability_of_other_sign(difference: float, variance: Variance) -> float:
    """How probable it is that the truth has the other sign than a difference that was seen.

    Under a flat prior the truth is distributed as t around what was seen, so that this is
    t(-abs(d)/s; ν): the form of arXiv:2505.04720 for means over images, where s² = (s_A² + s_B²
    - 2·r·s_A·s_B)/n and ν = n - 1.

    Returns:
        0 to 0.5.
    """
    from scipy.special import stdtr

    if difference == 0:
        return 0.5
    if variance.value == 0:
        return 0.0
    return float(stdtr(variance.df, -abs(difference) / variance.se))


def power_of(difference: float, variance: Variance, tests: int = 1) -> float:
    """How often an interval of such a variance lies on the true difference's side of zero.

    Args:
        difference: The true difference.
        variance: Of its estimate.
        tests: Among how many tests the 5 % are shared out (Bonferroni).

    Returns:
        0 to 1.
    """
    from scipy.special import nctdtr

    if variance.value == 0:
        return float(difference != 0)
    shift, critical = abs(difference) / variance.se, critical_value(variance.df, tests)
    if shift > _CERTAIN * critical:
        return 1.0
    return 1 - float(nctdtr(variance.df, shift, critical))


def smallest_difference(variance: Variance) -> float:
    """The smallest true difference that is told from zero at 95 % with 80 % power.

    Args:
        variance: Of the difference's estimate.

    Returns:
        In units of the difference; 0 without variance.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr

    critical = critical_value(variance.df)
    # The power passes 80 % below two critical values and two standard errors, for every df.
    shift = brentq(
        lambda shift: 1 - float(nctdtr(variance.df, shift, critical)) - POWER,
        0.0,
        2 * critical + 2,
    )
    return float(shift) * variance.se


def critical_value(df: float, tests: int = 1) -> float:
    """Student's t quantile of a two-sided 95 % interval, for one of so many tests."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 1 - (1 - CONFIDENCE) / 2 / tests))
