"""A store in which nothing more can be written: training ends, in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ablate.errors import RunFailed, StoreError
from ablate.plan import Cohort
from ablate.runs import RunFolder, Store, disk


@contextmanager
def stops_on_a_full_disk() -> Iterator[None]:
    """What cannot be written while this is open ends training, which was started.

    Raises:
        RunFailed: If a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise RunFailed("; ".join(disk.in_words(error))) from error


def check_written(cohorts: Sequence[Cohort], store: Store) -> None:
    """Looks for a reason where a run was worked on and has neither a result nor a failure.

    Another process may have taken it; else nothing can be written.

    Raises:
        RunFailed: If the store is gone, or nothing can be written to it.
    """
    folders = [RunFolder(path) for cohort in cohorts for path in cohort.folders]
    if all(folder.has_result() or folder.has_failure() for folder in folders):
        return
    if not store.root.is_dir():
        raise RunFailed(f"the store {store.root} is gone; bring it back and run the same again")
    try:
        disk.check_writable(store.root)
    except StoreError as error:
        raise RunFailed(str(error)) from error
