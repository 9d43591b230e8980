"""The list of faults: what happens to which process, when, and how the sweep must end."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from .phases import PHASES, WORKER_STARTS
from .session import Session

INTERRUPTED = 75


@dataclass(frozen=True)
class Fault:
    """One disturbance of a sweep.

    Attributes:
        what: The signals that are sent, one after the other; SIGSTOP is followed by SIGCONT.
        whom: ``group``, or the role of a process; of several the first.
        when: The phase of the sweep, ``start of a worker``, or ``at once``: as soon as the process
            is there.
        code: The exit code of the sweep.
        stopped_s: How long SIGSTOP lasts.
    """

    what: tuple[signal.Signals, ...]
    whom: str
    when: str
    code: int
    stopped_s: float = 3.0

    def __str__(self) -> str:
        """As lists of tests have it."""
        names = " and ".join(number.name for number in self.what)
        return f"{names} to the {self.whom}, {self.when}".replace(" ", "-")

    def happen(self, started: Session, store: Path) -> None:
        """Waits for the moment and sends the signals."""
        if self.when != "at once":
            phases = (*PHASES, WORKER_STARTS)
            phase = next(phase for phase in phases if phase.name == self.when)
            assert started.until(lambda: phase.is_reached(started, store)), started.output()
        for number in self.what:
            self._send(started, number)
            if number is signal.SIGSTOP:
                time.sleep(self.stopped_s)
                self._send(started, signal.SIGCONT)
            elif len(self.what) > 1:
                time.sleep(0.1)

    def _send(self, started: Session, number: signal.Signals) -> None:
        if self.whom == "group":
            started.signal_group(number)
            return
        assert started.until(lambda: started.role(self.whom)), started.output()
        os.kill(started.role(self.whom)[0], number)


def _killed(whom: str, code: int) -> list[Fault]:
    return [Fault((signal.SIGKILL,), whom, when, code) for when in ("at once", "training")]


def _stopped(when: str, *what: signal.Signals) -> Fault:
    return Fault(what, "group", when, INTERRUPTED)


KILLED = [
    *_killed("driver", -signal.SIGKILL),
    # That of the preflight: nothing was started.
    Fault((signal.SIGKILL,), "worker", "at once", 2),
    # The run that it worked on fails; the next start trains it again.
    Fault((signal.SIGKILL,), "worker", WORKER_STARTS.name, 1),
    Fault((signal.SIGKILL,), "worker", "training", 1),
    *_killed("mirror", 0),
    *_killed("fork server", 0),
    *_killed("tracker", 0),
]
PAUSED = [
    Fault((signal.SIGSTOP,), whom, "training", 0)
    for whom in ("group", "driver", "worker", "mirror")
]
SIGNALLED = [
    _stopped(when, *what)
    for when in ("training", "saving")
    for what in (
        (signal.SIGINT,),
        (signal.SIGTERM,),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP,),
        (signal.SIGUSR1,),
        (signal.SIGUSR2,),
    )
]
