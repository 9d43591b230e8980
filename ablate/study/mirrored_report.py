"""The report of a sweep, left in the store for the mirror, which cannot make one."""

import secrets
from collections.abc import Collection

from ablate import tracking
from ablate.errors import AblateError
from ablate.report import suffix_of, to_note
from ablate.runs import Store, SweepRecord, atomic, disk
from ablate.study import mirror_mark
from ablate.study.report import report_sweep

_FORMATS = ("markdown", "json", "html")


def sync_mirror(store: Store, uri: str | None) -> tuple[int, list[str]]:
    """Rebuilds or completes the mirror of a store, with the reports of its sweeps.

    Args:
        store: The store.
        uri: MLflow's tracking URI; None: the database in the store.

    Returns:
        The number of runs that MLflow now holds, and what the user should know.

    Raises:
        StoreError: If MLflow is not installed or cannot be written to, or a run's folder cannot be
            read.
    """
    tracking.check_installed()
    if uri is not None:
        tracking.check_uri(uri)
    problems: list[str] = []
    records, tunings = store.sweep_records(problems=problems), store.tunings(problems)
    notes = problems + [note for record in records for note in _leave(record, store)]
    mirrored = tracking.sync(store, [*records, *tunings], uri)
    ids = [record.id for record in records] + [tracking.group_id(tuning) for tuning in tunings]
    mirror_mark.clear(store, ids, uri)
    return mirrored, notes


def leave_reports(store: Store, ids: Collection[str]) -> list[str]:
    """Leaves the reports of these sweeps; nothing that goes wrong is raised.

    Args:
        store: Where the sweeps were run.
        ids: Their records' ids; others are passed over.

    Returns:
        What the user should know.
    """
    try:
        found = store.sweep_records(problems=[])
        records = [record for record in found if record.id in ids]
    except AblateError as error:
        return [_note(error)]
    return [note for record in records for note in _leave(record, store)]


def _leave(record: SweepRecord, store: Store) -> list[str]:
    try:
        made = report_sweep(record, store)
        texts = {f"report{suffix_of(each)}": made.render(each) for each in _FORMATS}
        texts[tracking.NOTE_FILE] = to_note(made.report, tracking.NOTE_CHARACTERS)
        folder = store.reports_path / record.id
        if any((folder / name).is_dir() for name in texts):
            # No file replaces a folder, and what is in it is not ours to remove.
            folder.rename(folder.with_name(f"{record.id}.damaged-{secrets.token_hex(4)}"))
        for name, text in texts.items():
            atomic.replace(folder / name, text.encode())
    # Whatever it is, the runs are there, and so is the mirror without it.
    except Exception as error:
        return [_note(error)]
    return []


def _note(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the report is not in MLflow: {disk.in_words(error)[0]}; `ablate sync` adds it"
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"the report is not in MLflow: {reason}; `ablate sync` adds it"
