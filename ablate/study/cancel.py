"""``cancel_drivers``: asks the processes that train in a store to save their state and to end."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import State, Store
from ablate.runs.drivers import Driver, DriverFile, driver_files
from ablate.study.finding import find_run

# A step of a large model, and its checkpoint on a slow disk.
PATIENCE_S = 60.0
_POLL_S = 0.1


@dataclass(frozen=True)
class CancelledDriver:
    """A process that was asked to end.

    Attributes:
        driver: What it trains, and where it runs.
        has_ended: Whether it has; if not, it still may.
    """

    driver: Driver
    has_ended: bool


def cancel_drivers(
    store: Path,
    sweep: str | None = None,
    key: str | None = None,
    patience_s: float = PATIENCE_S,
) -> tuple[CancelledDriver, ...]:
    """Asks the drivers of a store to end as after SIGTERM, and waits until they have.

    Args:
        store: The store.
        sweep: Only those that train this sweep, or tune it.
        key: Only those whose sweep names this run, which has to be in training; see ``find_run``.
        patience_s: How long to wait.

    Returns:
        Those that were asked; empty where none trains.

    Raises:
        StoreError: If there is no such store, or the sweep was never started in it.
        BadInput: If there is no such run, or several are meant.
    """
    opened = Store(store)
    if not opened.root.is_dir():
        raise StoreError(f"there is no store {opened.root}", "give the one of the run with --store")
    living = _living(opened)
    if key is not None:
        folder = find_run(opened, key)
        records = _records_of(folder.key, opened) if folder.state() is State.RUNNING else set()
        living = {file: each for file, each in living.items() if each.record in records}
    elif sweep is not None:
        known = {record.sweep.name for record in opened.sweep_records(problems=[])}
        if sweep not in known | {driver.sweep for driver in living.values()}:
            raise StoreError(
                f"sweep {sweep} was never started in {opened.root}",
                f"those that were: {', '.join(sorted(known)) or 'none'}",
            )
        living = {file: each for file, each in living.items() if each.sweep == sweep}
    return _cancel(living, patience_s)


def cancel_record(record: str, store: Store, patience_s: float) -> tuple[CancelledDriver, ...]:
    """Asks those that train one recorded sweep, or tune it; see ``cancel_drivers``."""
    living = _living(store)
    mine = {file: each for file, each in living.items() if each.record == record}
    return _cancel(mine, patience_s)


def _cancel(drivers: dict[DriverFile, Driver], patience_s: float) -> tuple[CancelledDriver, ...]:
    for file in drivers:
        file.cancel()
    deadline = time.monotonic() + patience_s
    waiting: Collection[DriverFile] = drivers
    while waiting := [file for file in waiting if file.lives()]:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    return tuple(CancelledDriver(driver, file not in waiting) for file, driver in drivers.items())


def _living(store: Store) -> dict[DriverFile, Driver]:
    """The drivers that train and have not ended, and what they are."""
    found = {file: file.read() for file in driver_files(store.drivers_path) if file.lives()}
    return {file: each for file, each in found.items() if each and each.work == "training"}


def _records_of(key: str, store: Store) -> set[str]:
    """The sweeps and tunings that name a run."""
    sweeps = {
        record.id
        for record in store.sweep_records(problems=[])
        if any(run.key == key for run in record.runs)
    }
    tunings = {tuning.id for tuning in store.tunings([]) if key in tuning.run_keys}
    return sweeps | tunings
