"""From the store to the report."""

from collections.abc import Sequence

from ablate.metrics import Confusion
from ablate.report.claims import claim_of
from ablate.report.consistency import check_table, common_share, share_of
from ablate.report.model import LandslideShare, PublishedValues, Report
from ablate.report.parameters import counted_parameters
from ablate.report.provenance import provenance_of
from ablate.report.published import ScoreTable, load_scores
from ablate.report.results import Reading, read_results
from ablate.report.rows import Groups, row_of
from ablate.report.verdicts import rank_agreement
from ablate.runs import Store, SweepRecord
from ablate.spec import RunSpec, Sweep


def build(sweep: Sweep, record: SweepRecord, runs: Sequence[RunSpec], store: Store) -> Report:
    """Reads all runs of a sweep's table and sets them beside the published values.

    Args:
        sweep: The sweep.
        record: The start of it that is reported: its protocol, data and weights.
        runs: All runs of the table, in the order of the rows; runs without a result are holes.
        store: Where the runs lie.

    Raises:
        SpecError: If a published table is missing or breaks rules, or a reading in it is no
            variant.
        StoreError: If the runs are not all of the record's protocol, data and weights.
    """
    published = load_scores(sweep.published) if sweep.published else None
    readings = read_results(record, runs, store)
    groups = Groups(readings, published)
    baseline = groups[sweep.baseline] if sweep.baseline else None
    has_published = published is not None
    rows = tuple(
        row_of(group, baseline, has_published, is_comparable=record.context.watermark is None)
        for group in groups.rows.values()
    )
    return Report(
        sweep=sweep.name,
        title=sweep.title,
        watermark=record.context.watermark,
        unit="percent",
        baseline=sweep.baseline,
        published=_values_of(published) if published else None,
        rows=rows,
        rank=rank_agreement(rows) if published else None,
        positive_share=LandslideShare(
            validated=_validated_share(readings),
            published=common_share(check_table(published)) if published else None,
        ),
        claims=tuple(claim_of(each, groups, has_published) for each in sweep.comparisons),
        parameters=counted_parameters(published.parameters)
        if published and published.parameters
        else None,
        provenance=provenance_of(record, readings),
    )


def _validated_share(readings: Sequence[Reading]) -> float | None:
    """Of the first run with a result: all have the same validation pixels."""
    finished = next((each.finished for each in readings if each.finished), None)
    return share_of(Confusion(**finished.result.confusion)) if finished else None


def _values_of(table: ScoreTable) -> PublishedValues:
    return PublishedValues(
        source=table.source,
        data=table.data,
        convention=table.convention,
        rounding=table.rounding,
    )
