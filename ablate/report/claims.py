"""The paper's sentences about its rows, and whether the runs support them.

All pairs of all claims of a sweep were declared before it ran: they are one family, over which
Holm's procedure holds the probability that any of them is decided wrongly at 5 % (Holm 1979,
Scandinavian Journal of Statistics 6, 65-70).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ablate.report.comparison_model import Claim, Difference, Pair, PairVerdict
from ablate.report.differences import compare
from ablate.report.images import ImageDraws
from ablate.report.rows import RowRuns
from ablate.report.statistics import CONFIDENCE, holm
from ablate.spec import Comparison

# Points: what subtracting printed numbers makes of nothing.
_NOTHING = 1e-9


class RowsByName(Protocol):
    """The rows of a table, with an empty one for a name that it lacks."""

    def __getitem__(self, name: str, /) -> RowRuns:
        """The row of a variant."""


def claims_of(
    comparisons: Sequence[Comparison], table: RowsByName, draws: ImageDraws, has_published: bool
) -> list[Claim]:
    """Each sentence with its differences of MIoU and the verdicts on it.

    Args:
        comparisons: The sweep's.
        table: The rows.
        draws: Of the images of their runs.
        has_published: Whether there are printed numbers to judge as well.
    """
    family = {
        _test(each, worse): _compared(each, worse, table, draws)
        for each in comparisons
        for worse in each.worse
    }
    # What cannot be computed yet is in the family all the same, as what decides nothing.
    adjusted = holm([1.0 if each.p is None else each.p for each in family.values()])
    pairs = {
        test: _pair(each, level)
        for (test, each), level in zip(family.items(), adjusted, strict=True)
    }
    return [_claim(each, pairs, has_published) for each in comparisons]


# Two rows and what is claimed of their difference: two claims may share it.
_Test = tuple[str, str, float | None, float | None]


def _test(comparison: Comparison, worse: str) -> _Test:
    return comparison.better, worse, comparison.by, comparison.equal_within


@dataclass(frozen=True)
class _Compared:
    """A test of the family.

    Attributes:
        better: The label of the row that is put ahead.
        worse: The label of the other.
        difference: Between the two.
        claimed: What is claimed of it.
        beyond: How far it lies on the claim's side; None without a difference.
        p: Unadjusted; None where there is none.
    """

    better: str
    worse: str
    difference: Difference
    claimed: str
    beyond: float | None
    p: float | None


def _compared(
    comparison: Comparison, worse: str, table: RowsByName, draws: ImageDraws
) -> _Compared:
    of, to = table[comparison.better], table[worse]
    compared = compare(of, to, draws)
    mean = compared.paired
    return _Compared(
        better=of.label,
        worse=to.label,
        difference=compared.difference,
        claimed=comparison.claimed,
        beyond=comparison.beyond(mean.mean) if mean else None,
        p=mean.p_value(comparison.boundary(mean.mean)) if mean else None,
    )


def _pair(compared: _Compared, adjusted: float) -> Pair:
    """One difference with the verdict of its adjusted interval."""
    verdict: PairVerdict = "cannot tell"
    is_decided = compared.p is not None and adjusted <= 1 - CONFIDENCE
    if is_decided and compared.beyond is not None:
        verdict = "holds" if compared.beyond > 0 else "does not hold"
    return Pair(
        better=compared.better,
        worse=compared.worse,
        claimed=compared.claimed,
        difference=compared.difference,
        p=compared.p,
        p_adjusted=None if compared.p is None else adjusted,
        verdict=verdict,
    )


def _claim(comparison: Comparison, compared: Mapping[_Test, Pair], has_published: bool) -> Claim:
    pairs = tuple(compared[_test(comparison, worse)] for worse in comparison.worse)
    verdict = _verdict(pairs)
    only_these_images = _is_for_these_images(verdict, pairs)
    return Claim(
        claim=comparison.claim,
        pairs=pairs,
        verdict=verdict,
        is_for_these_images=only_these_images,
        reproduced=_words(verdict, pairs, only_these_images),
        published=_published(comparison, pairs) if has_published else None,
    )


def _verdict(pairs: Sequence[Pair]) -> PairVerdict:
    """Refuted by one pair, supported only by all of them."""
    verdicts = {pair.verdict for pair in pairs}
    if "does not hold" in verdicts:
        return "does not hold"
    return "holds" if verdicts == {"holds"} else "cannot tell"


def _is_for_these_images(verdict: PairVerdict, pairs: Sequence[Pair]) -> bool:
    """Whether a verdict rests on a pair of one training each."""
    if verdict == "cannot tell":
        return False
    rest = [pair.difference.method == "images" for pair in pairs if pair.verdict == verdict]
    # One pair that does not hold is enough, whatever the others rest on.
    return any(rest) if verdict == "holds" else all(rest)


def _words(verdict: PairVerdict, pairs: Sequence[Pair], only_these_images: bool) -> str:
    """The verdict, and what it rests on or lacks."""
    differences = [pair.difference for pair in pairs if pair.verdict == verdict]
    if verdict == "cannot tell":
        if reasons := [each.missing_reason for each in differences if each.missing_reason]:
            return f"cannot tell: {reasons[0]}"
        least = min(differences, key=lambda each: each.n)
        if least.method != "images":
            return f"cannot tell at n={least.n}"
    elif not only_these_images:
        return verdict
    return f"{verdict} for these images (one training each)"


def _published(
    comparison: Comparison, pairs: Sequence[Pair]
) -> Literal["holds", "does not hold", "not reported"]:
    """Takes the printed numbers as they are: the paper gives neither n nor spread."""
    printed = [pair.difference.published for pair in pairs]
    beyond = [comparison.beyond(each) for each in printed if each is not None]
    # Ahead by nothing is not ahead; ahead by just what is claimed is.
    is_ahead_at_all = comparison.by is None and comparison.equal_within is None
    if any(each <= 0 if is_ahead_at_all else each < -_NOTHING for each in beyond):
        return "does not hold"
    return "not reported" if None in printed else "holds"
