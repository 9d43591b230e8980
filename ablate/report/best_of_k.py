"""The expected best of k trials, without bias, and where it changes the order of the rows.

Tang et al. (2020), "Showing Your Work Doesn't Always Work" (ACL): the plug-in estimate, which draws
the trials with replacement (Dodge et al. 2019), is too low; the mean over all subsets is not.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Percentage points: what rounding makes of equal values is no difference.
_EQUAL = 1e-9


class OrderChange(NamedTuple):
    """Two rows change places.

    Attributes:
        k: From this number of trials on ``ahead`` has the higher expected best score.
        ahead: The row that overtakes.
        behind: The row that was ahead at fewer trials.
    """

    k: int
    ahead: str
    behind: str


def expected_best_of_k(scores: Sequence[float]) -> list[float]:
    """The mean of the best score over all subsets of k of the n scores, for k = 1 … n.

    It is the U-statistic Σᵢ C(i-1, k-1) / C(n, k) · x₍ᵢ₎ over the ascending x₍₁₎ … x₍ₙ₎: of the
    C(n, k) subsets, C(i-1, k-1) have x₍ᵢ₎ as their best. The weight of x₍ₙ₎ is k/n, and each
    next one is the one before times (i-k)/(i-1): products below 1, so that no n overflows.

    Args:
        scores: One for each trial, in any order and unit.

    Returns:
        n values, ascending: first the mean of the scores, last their maximum.
    """
    descending, n = sorted(scores, reverse=True), len(scores)
    best = []
    for k in range(1, n + 1):
        weight, terms = k / n, []
        # The k - 1 lowest are the best of no subset.
        for i, score in zip(range(n, k - 1, -1), descending[: n - k + 1], strict=True):
            terms.append(weight * score)
            if i > 1:
                weight *= (i - k) / (i - 1)
        best.append(math.fsum(terms))
    return best


def order_changes(curves: Mapping[str, Sequence[float]]) -> list[OrderChange]:
    """Where one row's expected best score overtakes another's, by k.

    Args:
        curves: By row, the expected best of k for k = 1 …; two rows are compared as far as the
            shorter curve goes.
    """
    names = list(curves)
    changes = []
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            leader = None
            pairs = zip(curves[first], curves[second], strict=False)
            for k, (ours, theirs) in enumerate(pairs, start=1):
                if abs(ours - theirs) <= _EQUAL:
                    continue
                ahead, behind = (first, second) if ours > theirs else (second, first)
                if leader not in (None, ahead):
                    changes.append(OrderChange(k, ahead, behind))
                leader = ahead
    return sorted(changes, key=lambda change: change.k)
