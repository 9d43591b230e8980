"""``check_claims``: whether the runs support the claims of a sweep that was started."""

from ablate.errors import BadInput
from ablate.report.claims_check import ClaimsCheck, claims_check_of
from ablate.runs import Store, SweepRecord
from ablate.study.report import declared_rows


def check_claims(record: SweepRecord, store: Store) -> ClaimsCheck:
    """The verdict on each claim. Starts and writes nothing.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.

    Raises:
        BadInput: If the sweep makes no claims.
        SpecError: If the published table is missing or breaks rules.
        StoreError: If a run's folder cannot be read.
    """
    if not record.sweep.comparisons:
        raise BadInput(
            f"sweep {record.sweep.name} makes no claims that could be checked",
            "name some under comparisons",
        )
    return claims_check_of(record, store, declared_rows(record))
