"""``verify_sweep``: recomputes the numbers of a sweep and of its report from the raw pixels."""

from pathlib import Path

from ablate.errors import StoreError
from ablate.report import build_report
from ablate.report.report_differences import report_differences
from ablate.report.store_view import StoreView
from ablate.report.verification import check_runs
from ablate.report.verification_model import Verification
from ablate.runs import Store, SweepRecord
from ablate.study.parameters import read_counts
from ablate.study.report import declared_rows, latest_start


def verify_store(
    store: Path, sweep: str | None = None, problems: list[str] | None = None
) -> list[Verification]:
    """Verifies every start of a sweep, or of all sweeps, the latest first.

    Args:
        store: The store.
        sweep: The sweep's name; None: all.
        problems: Takes one line for each record that cannot be read, where others can.

    Raises:
        StoreError: If no such sweep was started, or none of the records can be read.
    """
    opened = Store(store)
    found: list[str] = [] if problems is None else problems
    records = opened.sweep_records(sweep, found)
    if not records and not found and sweep is not None:
        records = latest_start(opened, sweep)
    if not records:
        why = "\n".join(found) or f"no sweep was started in {opened.root}"
        raise StoreError(why, "" if found else "give --store")
    return [verify_sweep(record, opened) for record in records]


def verify_sweep(record: SweepRecord, store: Store) -> Verification:
    """Recomputes every number of a sweep's runs, and builds its report from them.

    Needs neither torch nor the data: parameters that the store's cache does not know are left out
    of both reports.

    Args:
        record: The start of the sweep.
        store: Where its runs lie.

    Raises:
        SpecError: If a published table is missing or breaks rules.
        StoreError: If the record of the sweep's tuning cannot be read.
    """
    checks = check_runs(record, store)
    parameters, today = read_counts(store), declared_rows(record)
    stored, recomputed = (
        build_report(record, view, parameters=parameters, today=today)
        for view in (store, StoreView(store.root, recomputed=True))
    )
    compared, differences = report_differences(stored, recomputed)
    return Verification(
        subject=str(store.root),
        sweep=record.sweep.name,
        id=record.id,
        state="differs" if checks.disagreements or differences else "agrees",
        runs=checks.runs,
        runs_without_result=checks.runs_without_result,
        values=checks.values,
        weights=checks.weights,
        weights_absent=checks.weights_absent,
        disagreements=tuple(checks.disagreements),
        report_values=compared,
        report_differences=tuple(differences),
    )
