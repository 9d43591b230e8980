"""``plan_decision``: what it would take to decide the claims of a sweep that was started."""

from ablate.errors import BadInput
from ablate.report.decision import decision_of
from ablate.report.decision_model import Decision
from ablate.runs import Store, SweepRecord
from ablate.study.report import declared_rows


def plan_decision(record: SweepRecord, store: Store) -> Decision:
    """How many repeats and device hours decide each claim. Starts and writes nothing.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.

    Raises:
        BadInput: If the sweep makes no claims.
        StoreError: If a run's folder cannot be read.
    """
    if not record.sweep.comparisons:
        raise BadInput(
            f"sweep {record.sweep.name} makes no claims that could be decided",
            "name some under comparisons",
        )
    return decision_of(record, store, declared_rows(record))
