"""What the attempts at a run have cost."""

import os
import re
from typing import Literal

from ablate.runs.formats import Document
from ablate.spec import Frozen

# ``failed``: the run failed or diverged; ``interrupted``: it was asked to stop and saved its state;
# ``killed``: its process ended without a word.
Ending = Literal["running", "done", "failed", "interrupted", "killed"]

# Of a worker's process, where its executor notes the log; other processes have none.
LOG_VARIABLE = "ABLATE_WORKER_LOG"
_LOG_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,200}\.log", re.ASCII)


class PeakMemory(Frozen):
    """The most memory that an attempt held at once, together with the runs beside it.

    Attributes:
        where: ``device``: tensors in the memory of the accelerator; ``process``: the resident set
            of the process, with Python and torch.
        held_bytes: How much.
        reserved_bytes: What torch's allocator had taken from the accelerator; None for a process.
    """

    where: Literal["device", "process"]
    held_bytes: int
    reserved_bytes: int | None


class Attempt(Document):
    """``attempts/START.json``: one attempt at a run, written while it goes on.

    What a kill leaves is the cost up to the last sign of life, which is written every second.

    Attributes:
        started: When it began.
        seen: Its last sign of life, or its end.
        device: For example ``cpu`` or ``cuda:0``.
        device_name: The processor's or the accelerator's own name.
        shared_by: How many runs the device was given to at once, this one among them; where there
            are several, ``device_s`` and ``energy_j`` are shares of what all have cost.
        device_s: Seconds for which the device was held for this run, from reading the data to the
            result. The shares of a cohort add up to the time for which the device was held.
        memory: None where it cannot be told.
        energy_j: Joules of the whole device in that time; None where it does not count them.
        ending: How it ended. None in the file of the last attempt: the run's other files say it.
        beside_others: Whether other cohorts may have been on the device meanwhile. Each is charged
            with all of its own time, so that together they add up to more than the device's, and
            no energy is counted.
        log: The file in the store's ``logs`` that its worker prints to; None: none is known.
    """

    started: float
    seen: float
    device: str
    device_name: str
    shared_by: int
    device_s: float = 0.0
    memory: PeakMemory | None = None
    energy_j: float | None = None
    ending: Ending | None = None
    beside_others: bool = False
    log: str | None = None

    def not_before(self, time_s: float) -> "Attempt":
        """The same attempt, begun at that time at the earliest; Unix seconds."""
        if self.started >= time_s:
            return self
        return self.model_copy(update={"started": time_s, "seen": time_s})


def is_log_name(name: str) -> bool:
    """Whether this is the name of a log, and no path that leads elsewhere."""
    return _LOG_NAME.fullmatch(name) is not None


def log_of_this_process() -> str | None:
    """The name of the log that this process prints to; None: it has none."""
    name = os.environ.get(LOG_VARIABLE, "")
    return name if is_log_name(name) else None
