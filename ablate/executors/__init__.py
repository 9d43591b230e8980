"""Executors take cohorts to devices. The border is ``Executor.submit``, which returns a ``Job``."""

from ablate.executors.base import Choose, Executor, Job, JobState, import_object, write_failures
from ablate.executors.fork_server import call_with_torch, warm_up
from ablate.executors.isolation import how_it_ended, isolated_children, signals_blocked
from ablate.executors.registry import (
    EXECUTORS,
    devices_in_use,
    executor_settings,
    run_cohorts,
)

__all__ = [
    "EXECUTORS",
    "Choose",
    "Executor",
    "Job",
    "JobState",
    "call_with_torch",
    "devices_in_use",
    "executor_settings",
    "how_it_ended",
    "import_object",
    "isolated_children",
    "run_cohorts",
    "signals_blocked",
    "warm_up",
    "write_failures",
]
