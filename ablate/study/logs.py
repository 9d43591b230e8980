"""``run_log``: all that is known of one run, with the end of its worker's log."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import BadInput, StoreError
from ablate.runs import Attempt, Failure, RunFolder, Store
from ablate.runs.attempts import is_log_name
from ablate.study.finding import find_run
from ablate.study.log_tail import LogTail
from ablate.study.run_status import RunStatus, run_status

DEFAULT_LINES = 20
MOST_LINES = 10_000


@dataclass(frozen=True)
class RunLog:
    """What is known of a run.

    Attributes:
        folder: Its folder.
        name: ``VARIANT seed 0``, with the split where it is not the protocol's own; None: its spec
            cannot be read.
        epochs: How many epochs it trains.
        status: What it is at.
        attempts: What was tried, oldest first.
        failure: Why it could not go on; None if it can.
        tail: What the worker of the last attempt printed to, read to its end; None: not known.
        lines: The end of it. A worker trains several runs: they may be of another one.
        problems: What cannot be read.
    """

    folder: RunFolder
    name: str | None
    epochs: int
    status: RunStatus
    attempts: tuple[Attempt, ...]
    failure: Failure | None
    tail: LogTail | None
    lines: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def log(self) -> Path | None:
        """The file that the worker of the last attempt printed to; None: not known."""
        return self.tail.path if self.tail else None


def run_log(
    store: Path, key: str, lines: int = DEFAULT_LINES, *, is_followed: bool = False
) -> RunLog:
    """Reads all that is known of a run; whatever is damaged is named and passed over.

    Args:
        store: The store.
        key: See ``find_run``.
        lines: How many lines of the log.
        is_followed: Whether what is added to the log is read as well (``follow_run``).

    Raises:
        BadInput: If there is no such run, several are meant, or the number is out of range.
    """
    if isinstance(lines, bool) or not 0 <= lines <= MOST_LINES:
        raise BadInput(f"{str(lines)[:20]} lines are out of range", f"give 0 to {MOST_LINES}")
    opened = Store(store)
    folder = find_run(opened, key)
    problems: list[str] = []
    name, epochs = None, 0
    attempts: Sequence[Attempt] = ()
    failure: Failure | None = None
    try:
        spec = folder.spec()
        split = f" split {spec.split}" if spec.split else ""
        name, epochs = f"{spec.name}{split} seed {spec.seed}", spec.epochs
    except StoreError as error:
        problems.append(str(error))
    try:
        attempts = folder.attempts()
    except StoreError as error:
        problems.append(str(error))
    with suppress(StoreError):
        # What is wrong with it is in the status.
        failure = folder.failure()
    tail: LogTail | None = None
    found: tuple[str, ...] = ()
    if attempts and (noted := attempts[-1].log) and is_log_name(noted):
        tail = LogTail(opened.logs_path / noted)
        try:
            found = tail.last(lines, is_growing=is_followed)
        except OSError as error:
            problems.append(f"{tail.path} cannot be read: {error.strerror}")
    return RunLog(
        folder=folder,
        name=name,
        epochs=epochs,
        status=run_status(folder, epochs),
        attempts=tuple(attempts),
        failure=failure,
        tail=tail,
        lines=found,
        problems=tuple(problems),
    )
