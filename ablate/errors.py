"""The exceptions that ablate raises on purpose.

    AblateError
    ├── BadInput            the user's input is wrong; nothing was started (exit code 2)
    │   ├── SpecError       a YAML file breaks rules; carries every problem of the file
    │   ├── DataError       a data set is missing, broken or too small
    │   │   ├── AmbiguousMask it is not clear which of a mask's values are positive
    │   │   ├── SizeMismatch  a mask has another size than its image
    │   │   └── Unpaired      images have no masks, or masks no images
    │   ├── WeightsError    a checkpoint is missing, broken or of another model
    │   └── StoreError      the store cannot be used
    │       ├── StoreClosed   what is there is not damaged, and yet cannot be read
    │       └── StoresDiffer  stores cannot be joined; carries every reason
    ├── RunFailed           one run cannot go on; becomes its ``failure.json`` (exit code 1)
    │   ├── Diverged        the loss is no longer a finite number
    │   └── OutOfMemory     it does not fit into the memory of its device
    ├── TakenOver           another process works on the run by now; this one leaves it
    └── Interrupted         a stop was requested and the state is saved (exit code 75)
        └── OutOfSharedMemory  a cohort leaves its device to the others there, to be tried again

Anything else that escapes is a defect of ablate itself.
"""

import signal
from enum import IntEnum
from typing import Any

# They request a stop, upon which state is saved: Ctrl-C, a scheduler's end or warning, a terminal
# that closes.
STOP_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def stop_signals() -> tuple[signal.Signals, ...]:
    """Those that request a stop of this process: SIGHUP does not where it is started by nohup."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return tuple(each for each in STOP_SIGNALS if each is not signal.SIGHUP or not ignored)


class ExitCode(IntEnum):
    """How a process of ablate ends."""

    DONE = 0
    RUN_FAILED = 1
    BAD_INPUT = 2
    OPEN = 3
    INTERRUPTED = 75


class AblateError(Exception):
    """Base of every exception that ablate raises on purpose."""


class BadInput(AblateError):
    """The user's input is wrong.

    Args:
        problem: What is wrong, with the offending value.
        repair: What to do about it.
    """

    def __init__(self, problem: str, repair: str) -> None:
        """Joins problem and repair into the one line that the user sees."""
        super().__init__(f"{problem}; {repair}" if repair else problem)
        self.parts = (problem, repair)
        self._arguments: tuple[Any, ...] = self.parts

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by ``args``, which hold the joined line: a process that sends one
        # to another would lose the repair.
        return type(self), self._arguments


class SpecError(BadInput):
    """A YAML file breaks rules.

    Args:
        problems: One line for each problem: file, line, value, rule and repair.
    """

    def __init__(self, problems: list[str]) -> None:
        """Keeps the problems apart, so that all of them can be shown at once."""
        super().__init__("\n".join(problems), "")
        self.problems = problems
        self._arguments = (problems,)


class DataError(BadInput):
    """A data set is missing, broken or too small."""


class AmbiguousMask(DataError):
    """It is not clear which of a mask's values are positive."""


class SizeMismatch(DataError):
    """A mask has another size than its image."""


class Unpaired(DataError):
    """Images have no masks, or masks no images.

    Args:
        problem: What is wrong, with the first names.
        repair: What to do about it.
        images: The names of all images without masks.
        masks: The names of all masks without images.
    """

    def __init__(
        self, problem: str, repair: str, images: tuple[str, ...], masks: tuple[str, ...]
    ) -> None:
        """Keeps all names, of which the line shows the first few."""
        super().__init__(problem, repair)
        self.images, self.masks = images, masks
        self._arguments = (problem, repair, images, masks)


class WeightsError(BadInput):
    """A checkpoint is missing, broken or made for another model."""


class StoreError(BadInput):
    """The store cannot be used."""


class StoreClosed(StoreError):
    """What lies in the store is whole, as far as can be told, and yet cannot be read.

    A newer ablate has written it, or it is closed to this user: it is not to be replaced.
    """


class StoresDiffer(StoreError):
    """Stores cannot be joined; nothing was copied.

    Args:
        problems: One line for each reason.
    """

    def __init__(self, problems: list[str]) -> None:
        """Keeps the reasons apart, so that all of them can be shown at once."""
        super().__init__("\n".join(problems), "")
        self.problems = problems
        self._arguments = (problems,)


class RunFailed(AblateError):
    """One run cannot go on; the others can."""


class Diverged(RunFailed):
    """The loss is no longer a finite number."""


class OutOfMemory(RunFailed):
    """A run does not fit into the memory of its device.

    Args:
        problem: What does not fit.
        repair: What to do about it.
    """

    def __init__(self, problem: str, repair: str) -> None:
        """Joins problem and repair into one line."""
        super().__init__(f"{problem}; {repair}")
        self._arguments = (problem, repair)

    def __reduce__(self) -> tuple[Any, ...]:
        # As ``BadInput`` does it: ``args`` hold the joined line.
        return type(self), self._arguments


class TakenOver(AblateError):
    """Another process has taken a run over: this one was silent for too long to count as alive.

    Nothing that it has written since is in the run's folder, and nothing is lost: the other goes
    on from what was there.

    Args:
        key: The run's.
    """

    def __init__(self, key: str) -> None:
        """Says it in one line."""
        super().__init__(f"another process has taken over run {key} and goes on with it")
        self._key = key

    def __reduce__(self) -> tuple[Any, ...]:
        # As ``BadInput`` does it: ``args`` hold the joined line.
        return type(self), (self._key,)


class Interrupted(AblateError):
    """A stop was requested; the state is saved and the same command continues.

    Args:
        message: What was stopped.
        signum: The signal that has requested it; None: something else has.
    """

    def __init__(self, message: str, signum: int | None = None) -> None:
        """Keeps the signal."""
        super().__init__(message)
        self.signum = signum


class OutOfSharedMemory(Interrupted):
    """Memory is short beside other cohorts; the executor tries again when there are none."""
