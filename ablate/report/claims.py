"""The paper's sentences about its rows, and whether the runs support them.

All pairs of all claims of a sweep were declared before it ran: they are one family, over which
Holm's procedure holds the probability that any of them is decided wrongly at 5 % (Holm 1979,
Scandinavian Journal of Statistics 6, 65-70).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from ablate.report.comparison_model import Claim, Pair, PairVerdict
from ablate.report.differences import Compared, compare
from ablate.report.images import ImageDraws
from ablate.report.rows import RowRuns
from ablate.report.statistics import CONFIDENCE, holm
from ablate.spec import Comparison


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
    names = dict.fromkeys((each.better, worse) for each in comparisons for worse in each.worse)
    compared = {pair: compare(table[pair[0]], table[pair[1]], draws) for pair in names}
    p_values = {
        pair: each.paired.p_value() if each.paired else None for pair, each in compared.items()
    }
    # What cannot be computed yet is in the family all the same, as what decides nothing.
    adjusted = dict(
        zip(p_values, holm([1.0 if p is None else p for p in p_values.values()]), strict=True)
    )
    pairs = {
        (better, worse): _pair(
            table[better].label,
            table[worse].label,
            compared[better, worse],
            p_values[better, worse],
            adjusted[better, worse],
        )
        for better, worse in names
    }
    return [_claim(each, pairs, has_published) for each in comparisons]


def _pair(better: str, worse: str, compared: Compared, p: float | None, adjusted: float) -> Pair:
    """One difference with the verdict of its adjusted interval."""
    difference = compared.difference
    verdict: PairVerdict = "cannot tell"
    if p is not None and difference.mean is not None and adjusted <= 1 - CONFIDENCE:
        verdict = "holds" if difference.mean > 0 else "does not hold"
    return Pair(
        better=better,
        worse=worse,
        difference=difference,
        p=p,
        p_adjusted=None if p is None else adjusted,
        verdict=verdict,
    )


def _claim(
    comparison: Comparison, compared: Mapping[tuple[str, str], Pair], has_published: bool
) -> Claim:
    pairs = tuple(compared[comparison.better, worse] for worse in comparison.worse)
    verdict = _verdict(pairs)
    only_these_images = _is_for_these_images(verdict, pairs)
    return Claim(
        claim=comparison.claim,
        pairs=pairs,
        verdict=verdict,
        is_for_these_images=only_these_images,
        reproduced=_words(verdict, pairs, only_these_images),
        published=_published(pairs) if has_published else None,
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


def _published(pairs: Sequence[Pair]) -> Literal["holds", "does not hold", "not reported"]:
    """Takes the printed numbers as they are: the paper gives neither n nor spread."""
    printed = [pair.difference.published for pair in pairs]
    if any(each is not None and each <= 0 for each in printed):
        return "does not hold"
    return "not reported" if None in printed else "holds"
