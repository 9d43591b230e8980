"""What an interval of a mean can tell: how likely its sign is wrong, and what it could tell at all.

The interval is that of ``ablate.report.paired``: a variance in parts, each with its own degrees of
freedom. How often it tells a true difference from zero follows from the noncentral t distribution,
with the degrees of freedom that the sum of the parts has by Satterthwaite (1946, Biometrics
Bulletin 2, 110-114).
"""

import math
from collections.abc import Sequence

from ablate.report.paired import PairedMean, Part
from ablate.report.statistics import CONFIDENCE

POWER = 0.8
"""How often a difference is to be told from zero, of the sweeps in which it is there."""

NOTHING = 1e-9
"""Points that the rounding of binary fractions makes of nothing."""

# Beyond so many critical values the power is 1 in all decimals, and scipy's series may not end.
_CERTAIN = 100.0


def standard_error(parts: Sequence[Part]) -> float:
    """The root of the sum of the variances."""
    return math.sqrt(math.fsum(part.variance for part in parts))


def probability_of_other_sign(difference: float, parts: Sequence[Part]) -> float:
    """How probable it is that the truth has the other sign than a difference that was seen.

    Under a flat prior the truth is distributed around what was seen as what is seen is around the
    truth. With one part this is t(-abs(d)/s; ν): the form of arXiv:2505.04720 for means over
    images, where s² = (s_A² + s_B² - 2·r·s_A·s_B)/n and ν = n - 1.

    Returns:
        0 to 0.5.
    """
    mean = PairedMean(1, difference, "repeats and images", tuple(parts))
    return (mean.p_value() or 0.0) / 2


def power_of(difference: float, parts: Sequence[Part], tests: int = 1) -> float:
    """How often an interval lies on the true difference's side of zero.

    Args:
        difference: The true difference.
        parts: Of the variance of its estimate.
        tests: Among how many tests the 5 % are shared out (Bonferroni).

    Returns:
        0 to 1.
    """
    error = standard_error(parts)
    if error < NOTHING:
        return float(abs(difference) > NOTHING)
    return _power_at(abs(difference) / error, parts, tests)


def smallest_difference(parts: Sequence[Part]) -> float:
    """The smallest true difference that a 95 % interval tells from zero with 80 % power.

    Args:
        parts: Of the variance of its estimate.

    Returns:
        In units of the difference; 0 without variance.
    """
    from scipy.optimize import brentq

    error = standard_error(parts)
    if error < NOTHING:
        return 0.0
    # The power passes 80 % below two critical values and two standard errors.
    most = 2 * _critical_value(parts, 1) + 2
    return error * float(brentq(lambda shift: _power_at(shift, parts, 1) - POWER, 0.0, most))


def _power_at(shift: float, parts: Sequence[Part], tests: int) -> float:
    """The power for a true difference of so many standard errors."""
    from scipy.special import nctdtr

    critical = _critical_value(parts, tests)
    if shift > _CERTAIN * critical:
        return 1.0
    return 1 - float(nctdtr(_degrees(parts), shift, critical))


def _critical_value(parts: Sequence[Part], tests: int) -> float:
    """How many standard errors half of an interval is wide."""
    mean = PairedMean(1, 0.0, "repeats and images", tuple(parts))
    return mean.quantile((1 - CONFIDENCE) / tests)


def _degrees(parts: Sequence[Part]) -> float:
    """Satterthwaite's degrees of freedom of the sum of the variances."""
    total = math.fsum(part.variance for part in parts)
    return 1 / math.fsum((part.variance / total) ** 2 / part.degrees for part in parts)
