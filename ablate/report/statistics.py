"""Means over repeats, what differences between rows can bear, and how far two orders agree."""

import math
import statistics
from collections.abc import Sequence

CONFIDENCE = 0.95


def mean_of(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return statistics.fmean(values) if values else None


def sd_of(values: Sequence[float]) -> float | None:
    """The sample standard deviation; None below two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def interval_of(differences: Sequence[float]) -> tuple[float, float] | None:
    """Student's t interval (95 %) of the mean of paired differences; None below two."""
    sd = sd_of(differences)
    if sd is None:
        return None
    n = len(differences)
    half = quantile_of(n) * sd / math.sqrt(n)
    mean = statistics.fmean(differences)
    return mean - half, mean + half


def quantile_of(n: int) -> float:
    """Student's t quantile of a two-sided 95 % interval over n values."""
    # Here, since loading it takes longer than a report over one run of each row.
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))


def tau_b(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's τ-b (Kendall 1945), which corrects for ties.

    Args:
        first: Finite values.
        second: As many.

    Returns:
        -1 to 1; None if one side has no two different values, so no order.
    """
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    # scipy.stats has it, and takes half a second to load: as long as the rest of a small report.
    import numpy as np

    orders = [np.sign(np.subtract.outer(each, each)) for each in (first, second)]
    # Of every two rows, both ways round: 1 and -1 where their order is told, 0 where they tie.
    told = [float(np.square(order).sum()) for order in orders]
    agreement = float((orders[0] * orders[1]).sum())
    tau = agreement / math.sqrt(told[0]) / math.sqrt(told[1])
    return min(1.0, max(-1.0, tau))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p values of one family for there being several (Holm 1979).

    Args:
        p_values: Of all tests of the family, 0 to 1.

    Returns:
        In the same order: a test is decided at level α over the whole family if its adjusted value
        is at most α.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
