"""The border between planning and training: what every executor promises."""

import importlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from ablate.plan import Cohort
from ablate.runs import Failure, RunFolder, State, disk
from ablate.spec import Frozen

# Trains the runs of these folders on that device. SIGTERM requests a stop: it saves the runs' state
# and raises Interrupted. Where an executor puts other cohorts on the same device, it hands over a
# third argument (``ablate.train.sharing.SharedDevice``); ``OutOfSharedMemory`` means: again, alone.
Work = Callable[..., None]


# Of this machine's devices, those named, checked, or else all.
Choose = Callable[[Sequence[str]], Sequence[str]]


class JobState(StrEnum):
    """How far a job is.

    Attributes:
        QUEUED: It waits for a device.
        RUNNING: It is being worked on.
        DONE: The work has returned; what came of each run is in its folder.
        FAILED: The work has raised or its worker has died; the folders say which runs failed.
        CANCELLED: It was stopped; the state of its runs is saved.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether this state is final."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Job(Protocol):
    """One cohort that was given to an executor."""

    def state(self) -> JobState:
        """How far it is, as of the executor's last ``wait``."""
        ...

    def cancel(self) -> None:
        """Requests a stop and returns at once.

        A job that is running saves the state of its runs and ends; called again, this ends it
        without that. A job that has ended stays as it is.
        """
        ...


class Executor(Protocol):
    """Takes cohorts to devices.

    Every executor keeps these promises (``tests/executors/conformance.py``):

    - each cohort is one job, and each run is worked on by one worker at a time;
    - what came of a run is in its folder, nowhere else;
    - a job that fails leaves a failure in the folders of the runs that it could not train, and
      the other jobs go on;
    - all work has ended when ``close`` returns.

    It is constructed as ``Class(settings, work=…, devices=…, logs=…)``: its settings, the work's
    import path, a device for each worker, and a folder for what workers print.

    Attributes:
        settings_model: What ``[executor.NAME]`` in ``ablate.toml`` may hold.
    """

    settings_model: ClassVar[type[Frozen]]

    @classmethod
    def devices(cls, settings: Any, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """Where it works, one for each cohort that it works on at a time.

        Args:
            settings: Its settings.
            named: Devices that the user names; empty: none.
            choose: Chooses among the devices of this machine.

        Raises:
            BadInput: If one cannot be used.
        """
        ...

    def submit(self, cohort: Cohort) -> Job:
        """Takes a cohort; returns at once."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Blocks until a job may have changed its state, about ``timeout_s`` seconds at most.

        An executor without workers of its own works on a job meanwhile.
        """
        ...

    def close(self) -> None:
        """Ends all workers; jobs that have not ended are cancelled."""
        ...


@dataclass(frozen=True)
class LeftJob:
    """A job that is in a cluster without this process, as a later start finds it.

    Attributes:
        keys: The runs that it works on, by key.
        state: ``QUEUED`` or ``RUNNING``.
        reason: Why it waits, in the cluster's words; empty: it does not, or that is not said.
        cancel: Takes it out of the queue, or requests a stop, upon which it saves the state of its
            runs; returns at once.
    """

    keys: frozenset[str]
    state: JobState
    reason: str
    cancel: Callable[[], None]


@runtime_checkable
class ClusterExecutor(Protocol):
    """What an executor promises besides whose jobs are in a cluster.

    They may go on without the process that has submitted them; ``submit`` of a later start takes
    over what still works on the same runs (``DetachConformance``).
    """

    @classmethod
    def jobs_go_on(cls, settings: Any) -> bool:
        """Whether its jobs go on when this process ends; if not, the rest is never called."""
        ...

    @classmethod
    def left_jobs(cls, settings: Any, runs: Path, timeout_s: float) -> Sequence[LeftJob]:
        """The jobs of this user that wait or run, of whatever start.

        Args:
            settings: Its settings.
            runs: The folder that the folders of their runs lie in.
            timeout_s: How long the cluster may take to answer.

        Raises:
            BadInput: If the cluster does not answer.
        """
        ...

    def detach(self) -> None:
        """Lets go of its jobs, which go on; it is closed with that.

        Raises:
            BadInput: If one of them can never start.
        """
        ...

    def notice(self) -> str | None:
        """What its jobs wait for, in one line for the user; None: nothing is to be said."""
        ...


def import_object(path: str) -> Any:
    """The object with the import path ``module:name``.

    Raises:
        ImportError: If there is no such module, or nothing of that name in it.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise ImportError(f"{module} has no {name!r}") from error


def write_failures(folders: Sequence[Path], error: Exception) -> None:
    """Leaves an exception that ended a cohort's work in the folders of all its unfinished runs."""
    for path in folders:
        folder = RunFolder(path)
        if folder.state() in (State.NEW, State.INTERRUPTED):
            folder.is_left(
                Failure(
                    kind="error",
                    message=_one_line(error),
                    detail="".join(traceback.format_exception(error)),
                    time=time.time(),
                )
            )


def fail_first_unfinished(folders: Sequence[Path], message: str, detail: str) -> tuple[Path, ...]:
    """Blames the death of a worker on the first run of a cohort that has not ended.

    Args:
        folders: The cohort's.
        message: How it has died, in one line.
        detail: What it last printed.

    Returns:
        The runs after that.
    """
    for position, path in enumerate(folders):
        folder = RunFolder(path)
        failure = Failure(kind="died", message=message, detail=detail, time=time.time())
        if folder.state() in (State.NEW, State.INTERRUPTED) and folder.is_left(failure):
            return tuple(folders[position + 1 :])
    return ()


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and disk.is_full(error):
        return "; ".join(disk.in_words(error))
    return traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
