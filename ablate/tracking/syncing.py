"""When the mirror is brought up to date: once, or again and again while runs are under way."""

import logging
import os
import signal
import sqlite3
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from ablate.errors import STOP_SIGNALS, BadInput, StoreError
from ablate.runs import Store, SweepRecord, TuningRecord, locks
from ablate.spec import digest_of
from ablate.tracking import database, environment
from ablate.tracking.address import Address
from ablate.tracking.behind import end_behind
from ablate.tracking.groups import as_group, groups_of

_POLL_S = 1.0
_LONGEST_PAUSE_S = 30.0
_SLICE_S = 0.1
_SYNC_PATIENCE_S = 3.0
_LAST_PATIENCE_S = 6.0
_NICENESS = 10

_logger = logging.getLogger(__name__)


def sync(store: Store, records: Sequence[SweepRecord | TuningRecord], uri: str | None) -> int:
    """See ``ablate.tracking.sync``."""
    address = Address.of(store, uri)
    # What MLflow logs as an error it raises as well.
    environment.prepare_client(address, level="CRITICAL")
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    from ablate.tracking.mirror import Mirror

    groups = [as_group(record) for record in records]
    try:
        with _only_writer(
            store, address, [group.id for group in groups], _SYNC_PATIENCE_S
        ) as alone:
            if not alone:
                raise StoreError(
                    f"another process is writing to {address.shown}",
                    "wait until the sweep has ended (it is mirrored while it runs)",
                )
            database.ensure(address)
            with _light_commits(address):
                mirror = Mirror(store, address)
                passes = [mirror.update(group, live=False) for group in groups]
    except (MlflowException, SQLAlchemyError, OSError) as error:
        problem = f"MLflow at {address.shown}: {database.cause_of(error)}"
        raise database.refusal(problem, error, address) from error
    problems = [problem for one in passes for problem in one.problems]
    if problems:
        raise StoreError("\n".join(problems), "all other runs are mirrored")
    return sum(one.mirrored for one in passes)


def follow(
    store_root: Path, record_ids: Sequence[str], uri: str | None, parent: Connection, log: Path
) -> None:
    """See ``ablate.tracking.follow``."""
    ending = _Ending(parent)
    _redirect_output(log)
    # Runs come first where processors are few.
    os.nice(_NICENESS)
    try:
        reason = _follow_alone(Store(store_root), record_ids, uri, ending)
    # Whatever breaks the mirror, the runs go on.
    except Exception as error:
        _logger.exception("the mirror gives up")
        reason = database.cause_of(error)
    if reason:
        end_behind(reason)


def _follow_alone(
    store: Store, record_ids: Sequence[str], uri: str | None, ending: "_Ending"
) -> str:
    """Follows once no other process does.

    Returns:
        Why MLflow lacks something in the end; empty where it has all.
    """
    address = Address.of(store, uri)
    environment.prepare_client(address, level="WARNING")
    while True:
        if not store.root.is_dir():
            # It must not be made anew.
            return _gone(store)
        last = ending.requested()
        # Another process that waits for the same runs ends when they do, as this one does.
        patience_s = _LAST_PATIENCE_S if last else 0.0
        with _only_writer(store, address, record_ids, patience_s) as alone:
            if alone:
                with _light_commits(address):
                    return _follow(store, frozenset(record_ids), address, ending)
        if last:
            return f"another process wrote to {address.shown} to the end"
        ending.wait(_POLL_S)


def _follow(store: Store, record_ids: frozenset[str], address: Address, ending: "_Ending") -> str:
    """Updates from the folders until the end is requested, and then once more.

    Returns:
        What is wrong after the last update, or that the store is gone; empty where nothing is.
    """
    from ablate.tracking.mirror import Mirror

    mirror: Mirror | None = None
    pause_s = _POLL_S
    reported = ""
    while True:
        if not store.root.is_dir():
            return _gone(store)
        last = ending.requested()
        cause: Exception | None = None
        try:
            if database.ensure(address) or mirror is None:
                mirror = Mirror(store, address)
            problems: list[str] = []
            groups = [group for group in groups_of(store, problems) if group.id in record_ids]
            passes = [mirror.update(group, live=not last) for group in groups]
            problems += [problem for one in passes for problem in one.problems]
            trouble = "\n".join(problems)
            pause_s = _POLL_S
        # Whatever it is, the runs go on without the mirror, and the next update may succeed.
        except Exception as error:
            trouble, cause = database.cause_of(error), error
            mirror = None
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if trouble and trouble != reported:
            # What ablate itself refuses says all in its line.
            _logger.error("%s", trouble, exc_info=None if isinstance(cause, BadInput) else cause)
        reported = trouble
        if last and address.own and address.database and not database.is_there(address.database):
            continue  # It was removed during this update.
        if last:
            return trouble
        ending.wait(pause_s)


def _gone(store: Store) -> str:
    return f"the store {store.root} is gone"


class _Ending:
    """Whether the end was requested: by the parent, by SIGTERM, or by the parent's death.

    A pipe ends with the process that holds its other end, and unlike an event of multiprocessing
    it has no lock that a killed process would keep.
    """

    def __init__(self, parent: Connection) -> None:
        self._parent = parent
        self._terminated = False
        # Ctrl-C reaches the whole process group, as others may; the parent handles them.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_terminate)
        # They are blocked until their meaning is known.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        self._terminated = True

    def requested(self) -> bool:
        return self._terminated or self._parent.poll()

    def wait(self, longest_s: float) -> None:
        end = time.monotonic() + longest_s
        while time.monotonic() < end and not self.requested():
            self._parent.poll(_SLICE_S)


@contextmanager
def _only_writer(
    store: Store, address: Address, ids: Sequence[str], patience_s: float
) -> Iterator[bool]:
    """Holds the right to mirror these sweeps and tunings.

    Two writers would make each run twice. An sqlite database has one writer at a time; a server has
    one for each sweep or tuning of a store.

    Yields:
        Whether this process has it within ``patience_s``.
    """
    with ExitStack() as held:
        for path in _locks(store, address, ids):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not held.enter_context(locks.held(path, patience_s)):
                yield False
                return
        yield True


def _locks(store: Store, address: Address, ids: Sequence[str]) -> list[Path]:
    """Always in the same order, so that no two processes wait for each other."""
    if address.database is not None:
        return [address.database.with_name("writer.lock")]
    names = sorted({digest_of([address.uri, each])[:16] for each in ids})
    return [store.mlflow_path / f"writer-{name}.lock" for name in names]


@contextmanager
def _light_commits(address: Address) -> Iterator[None]:
    """Lets this process's commits to the store's own database wait for the disk less often.

    What is lost with the power is logged again, since the folders have it.
    https://www.sqlite.org/pragma.html#pragma_synchronous
    """
    if not address.own:
        yield
        return
    from sqlalchemy import Engine, event

    def lighten(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(Engine, "connect", lighten)
    try:
        yield
    finally:
        event.remove(Engine, "connect", lighten)


def _redirect_output(log: Path) -> None:
    """Sends all that this process, its libraries and their C code print to ``log``."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    # Whatever PYTHONWARNINGS says: what libraries deprecate is no trouble of the mirror's.
    warnings.simplefilter("ignore")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
