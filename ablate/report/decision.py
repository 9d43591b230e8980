"""How many more repeats decide each claim of a sweep, from the spread of the repeats there are.

The difference seen so far is taken for the true one, and the variances seen so far for the true
ones. Of the 5 % of all pairs of all claims together each gets an equal part (Bonferroni), so that
Holm's procedure, which gives each at least as much, decides no later.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ablate.report.claims import claims_of
from ablate.report.comparison_model import Claim
from ablate.report.decision_model import ClaimDecision, Decision, Outcome, PairDecision
from ablate.report.differences import draw_images_of
from ablate.report.image_spread import Spread, measured_spread
from ablate.report.images import ImageDraws
from ablate.report.power import POWER, power_of
from ablate.report.results import read_results
from ablate.report.rows import RowRuns, TableRuns
from ablate.runs import Store, SweepRecord
from ablate.spec import Comparison, Variant
from ablate.spec.sweep import MAX_SEEDS

_HOUR_S = 3600


def decision_of(record: SweepRecord, store: Store, today: Mapping[str, Variant]) -> Decision:
    """What it would take to decide the claims of a sweep. Reads only.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.
        today: The sweep's rows as they are declared now.
    """
    runs = read_results(record, store)
    table = TableRuns(record, runs, None, today)
    comparisons = record.sweep.comparisons
    draws = draw_images_of(table.rows, record.sweep)
    planner = _Planner(
        table=table,
        draws=draws,
        tests=len(
            {(each.better, worse, each.claimed) for each in comparisons for worse in each.worse}
        ),
        over_splits=len(record.splits) > 1,
        seeds=len(record.seeds),
    )
    verdicts = claims_of(comparisons, table, draws, has_published=False)
    claims = [planner.claim(*each) for each in zip(comparisons, verdicts, strict=True)]
    needed: dict[str, int] = {}
    for claim in claims:
        for pair in claim.pairs:
            for name in (pair.better, pair.worse):
                needed[name] = max(needed.get(name, 0), claim.units or 0)
    more, device_h = planner.cost(needed)
    return Decision(
        sweep=record.sweep.name,
        unit="split" if planner.over_splits else "seed",
        seeds_per_unit=planner.seeds if planner.over_splits else 1,
        tests=planner.tests,
        power=POWER,
        claims=tuple(claims),
        runs=more,
        device_h=device_h,
    )


@dataclass(frozen=True)
class _Planner:
    """Plans claim by claim.

    Attributes:
        table: The rows.
        draws: The images of their runs, drawn anew.
        tests: The number of pairs in all claims.
        over_splits: Whether the units are splits.
        seeds: The number of seeds of a split.
    """

    table: TableRuns
    draws: ImageDraws
    tests: int
    over_splits: bool
    seeds: int

    def claim(self, comparison: Comparison, claim: Claim) -> ClaimDecision:
        """What it would take to decide one claim, from its verdict so far."""
        better = self.table[comparison.better]
        worse = [self.table[name] for name in comparison.worse]
        spreads = {
            row.name: measured_spread(better, row, self.draws, over_splits=self.over_splits)
            for row in worse
        }
        # What matters is how far a difference is from what the claim says of it.
        spreads = {
            name: replace(each, difference=comparison.beyond(each.difference))
            if isinstance(each, Spread)
            else each
            for name, each in spreads.items()
        }
        known = {name: each for name, each in spreads.items() if isinstance(each, Spread)}
        # A claim that holds takes all of its pairs, each of which may miss its part of the rest;
        # one that does not hold takes a single pair.
        against = {name: each for name, each in known.items() if each.difference < 0}
        power = POWER if against else 1 - (1 - POWER) / len(spreads)
        pairs = tuple(self._pair(better.name, name, each, power) for name, each in spreads.items())
        deciding = [pair for pair in pairs if not against or pair.worse in against]
        reach = [each.power_unlimited for each in deciding if each.power_unlimited is not None]
        outcome: Outcome
        reason, units = None, None
        if claim.verdict != "cannot tell" and not claim.is_for_these_images:
            outcome = "decided"
        elif unknown := [each for each in spreads.values() if isinstance(each, str)]:
            outcome, reason = "cannot tell", unknown[0]
        elif any(each.units < 2 for each in known.values()):
            word = "split" if self.over_splits else "seed"
            outcome, reason = (
                "cannot tell",
                f"one {word} tells nothing of what another training would give",
            )
        else:
            outcome, units = _together(deciding, power, any_of_them=bool(against))
        rows = (better, *worse)
        runs, device_h = self.cost(dict.fromkeys((row.name for row in rows), units or 0))
        return ClaimDecision(
            claim=comparison.claim,
            reproduced=claim.reproduced,
            outcome=outcome,
            reason=reason,
            units_now=min(self._units(row) for row in rows),
            power_unlimited=(max if against else min)(reach, default=None),
            units=units,
            runs=runs,
            device_h=device_h,
            pairs=pairs,
        )

    def _pair(self, better: str, worse: str, spread: Spread | str, power: float) -> PairDecision:
        if isinstance(spread, str):
            return PairDecision(better=better, worse=worse)
        d, now = spread.difference, spread.of_units(spread.units)
        if not now:
            return PairDecision(better=better, worse=worse, difference=d)
        return PairDecision(
            better=better,
            worse=worse,
            difference=d,
            power=power_of(d, now, self.tests),
            power_unlimited=power_of(d, spread.of_units(math.inf), self.tests),
            units=units_for(spread, power, self.tests),
        )

    def cost(self, needed: Mapping[str, int]) -> tuple[int, float]:
        """The runs that rows lack, and their device hours.

        Args:
            needed: The number of units by row.
        """
        total, seconds = 0, 0.0
        for name, units in needed.items():
            row = self.table[name]
            runs = max(0, units - self._units(row))
            if self.over_splits and row.is_trained:
                runs *= self.seeds
            elif not self.over_splits and not row.is_trained:
                runs = 0
            spent = [run.finished.result.train_s for run in row.runs if run.finished]
            total += runs
            seconds += runs * statistics.fmean(spent or [0.0])
        return total, seconds / _HOUR_S

    def _units(self, row: RowRuns) -> int:
        repeats = [run.run.repeat for run in row.runs if run.finished]
        return len({each.split for each in repeats} if self.over_splits else repeats)


def _together(
    pairs: Iterable[PairDecision], power: float, any_of_them: bool
) -> tuple[Outcome, int | None]:
    """How many units decide a claim that takes all of these pairs, or any of them."""
    numbers = [pair.units for pair in pairs]
    known = [units for units in numbers if units is not None]
    if known and (any_of_them or len(known) == len(numbers)):
        return "more", min(known) if any_of_them else max(known)
    lacking = [pair.power_unlimited or 0 for pair in pairs if pair.units is None]
    in_reach = max(lacking) if any_of_them else min(lacking)
    return ("too many" if in_reach >= power else "not with these images"), None


def units_for(spread: Spread, power: float, tests: int) -> int | None:
    """The smallest number of units that tells a difference from zero.

    Args:
        spread: The difference and its variances.
        power: How often it is to be told.
        tests: Among how many tests the 5 % are shared out.

    Returns:
        More units than there are; None if no number that a sweep may have is enough.
    """

    def is_told(units: int) -> bool:
        parts = spread.of_units(units)
        return bool(parts) and power_of(spread.difference, parts, tests) >= power

    # The power grows with the number of units, so that it can be halved in.
    low: int = spread.units
    high: int = MAX_SEEDS
    if not is_told(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_told(middle) else (middle, high)
    return high
