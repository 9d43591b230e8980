"""The rows of the table: scores over seeds, holes, and differences between rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ablate.report.model import COLUMNS, Difference, Hole, Row, Score, SeedState
from ablate.report.published import ScoreRow, ScoreTable
from ablate.report.results import Reading
from ablate.report.statistics import interval_of, mean_of, sd_of
from ablate.report.verdicts import verdict_of

# Of several holes in one row the first of these names it: what is under way, what went wrong,
# what can go on, what was never begun.
_PRECEDENCE: tuple[Hole, ...] = ("running", "diverged", "failed", "interrupted", "not run")


@dataclass(frozen=True)
class Group:
    """The runs of one row and what the paper prints for it.

    Attributes:
        name: The variant's name.
        label: What tables print.
        readings: Its runs; none for a row that is only compared with.
        printed: The paper's row.
    """

    name: str
    label: str
    readings: tuple[Reading, ...]
    printed: ScoreRow | None

    @property
    def hole(self) -> Hole | None:
        """Why the row has no number at all."""
        if any(reading.finished for reading in self.readings):
            return None
        holes = {reading.hole for reading in self.readings}
        return next((hole for hole in _PRECEDENCE if hole in holes), "not run")

    def percent(self, metric: str) -> dict[int, float]:
        """A metric by seed, of the runs that have a result."""
        return {
            reading.run.seed: 100 * reading.finished.result.metrics[metric]
            for reading in self.readings
            if reading.finished
        }


class Groups:
    """The rows' runs by variant, in the order of the rows.

    Args:
        readings: All runs of the table.
        published: The paper's table.
    """

    def __init__(self, readings: Sequence[Reading], published: ScoreTable | None) -> None:
        """Sorts the readings into rows."""
        self._printed: Mapping[str, ScoreRow] = published.rows if published else {}
        rows: dict[str, list[Reading]] = {}
        for reading in readings:
            rows.setdefault(reading.run.name, []).append(reading)
        self.rows = {
            name: Group(name, row[0].run.label, tuple(row), self._printed.get(name))
            for name, row in rows.items()
        }

    def __getitem__(self, name: str) -> Group:
        """The row of a variant; an empty one where the table has none."""
        return self.rows.get(name) or Group(name, name, (), self._printed.get(name))


def row_of(group: Group, baseline: Group | None, has_published: bool, is_comparable: bool) -> Row:
    """One row of the table; only comparable ones have verdicts."""
    variant = group.readings[0].run.variant
    columns = variant.columns()
    placement = columns.get("placement")
    return Row(
        name=group.name,
        label=group.label,
        system=variant.system,
        midlay=columns.get("midlays"),
        residual=columns.get("residual"),
        outside=None if placement is None else placement == "outside",
        seeds=tuple(
            SeedState(
                seed=reading.run.seed,
                key=reading.run.key,
                state=reading.hole or "done",
                cause=reading.cause,
                predicts_no_positives=_is_blank(reading),
            )
            for reading in group.readings
        ),
        hole=group.hole,
        published_hole="not reported" if has_published and group.printed is None else None,
        scores={metric: _score(group, metric, is_comparable) for metric in COLUMNS},
        delta=difference(group, baseline) if baseline and baseline.name != group.name else None,
    )


def _is_blank(reading: Reading) -> bool | None:
    if reading.finished is None:
        return None
    pixels = reading.finished.result.confusion
    return pixels["tp"] + pixels["fp"] == 0


def _score(group: Group, metric: str, is_comparable: bool) -> Score:
    per_seed = group.percent(metric)
    values = list(per_seed.values())
    mean = mean_of(values)
    # The paper has no columns for the landslide class alone.
    printed: str | None = getattr(group.printed, metric, None)
    published = None if printed is None else float(printed)
    return Score(
        n=len(values),
        mean=mean,
        sd=sd_of(values),
        per_seed=per_seed,
        published=published,
        printed=printed,
        difference=None if mean is None or published is None else mean - published,
        verdict=verdict_of(values, published) if is_comparable and published is not None else None,
    )


def difference(of: Group, to: Group) -> Difference:
    """MIoU of one row minus that of another, paired by seed."""
    first, second = of.percent("miou"), to.percent("miou")
    paired = [first[seed] - second[seed] for seed in first if seed in second]
    low, high = interval_of(paired) or (None, None)
    return Difference(
        n=len(paired),
        mean=mean_of(paired),
        low=low,
        high=high,
        hole=None if paired else _hole_between(of, to),
        # In decimals: 88.1 - 73.3 is to be 14.8.
        published=float(Decimal(of.printed.miou) - Decimal(to.printed.miou))
        if of.printed and to.printed
        else None,
    )


def _hole_between(*groups: Group) -> str:
    for group in groups:
        if group.hole:
            return f"{group.label} {group.hole}"
    return "no seed in common"
