"""The paper's sentences about its rows, and whether the runs support them."""

from collections.abc import Sequence
from typing import Literal, Protocol

from ablate.report.model import Claim, Pair
from ablate.report.rows import RowRuns, difference
from ablate.spec import Comparison


class RowsByName(Protocol):
    """The rows of a table, with an empty one for a name that it lacks."""

    def __getitem__(self, name: str, /) -> RowRuns:
        """The row of a variant."""


def claim_of(comparison: Comparison, table: RowsByName, has_published: bool) -> Claim:
    """One sentence with its differences of MIoU and the verdicts on it."""
    better = table[comparison.better]
    pairs = [
        Pair(better=better.label, worse=worse.label, difference=difference(better, worse))
        for worse in (table[name] for name in comparison.worse)
    ]
    return Claim(
        claim=comparison.claim,
        pairs=tuple(pairs),
        reproduced=_reproduced(pairs),
        published=_published(pairs) if has_published else None,
    )


def _reproduced(pairs: Sequence[Pair]) -> str:
    """Refuted by one interval below 0, supported only by all intervals above 0."""
    differences = [pair.difference for pair in pairs]
    if any(each.high is not None and each.high < 0 for each in differences):
        return "does not hold"
    if reasons := [each.missing_reason for each in differences if each.missing_reason]:
        return f"cannot tell: {reasons[0]}"
    if all(each.low is not None and each.low > 0 for each in differences):
        return "holds"
    return f"cannot tell at n={min(each.n for each in differences)}"


def _published(pairs: Sequence[Pair]) -> Literal["holds", "does not hold", "not reported"]:
    """Takes the printed numbers as they are: the paper gives neither n nor spread."""
    printed = [pair.difference.published for pair in pairs]
    if any(each is not None and each <= 0 for each in printed):
        return "does not hold"
    return "not reported" if None in printed else "holds"
