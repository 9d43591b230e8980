"""Executors take cohorts to devices. The border is ``Executor.submit``, which returns a ``Job``."""

from ablate.executors.base import Executor, Job, JobState, Work
from ablate.executors.fork_server import call_with_torch, warm_up
from ablate.executors.isolation import isolated_children
from ablate.executors.registry import EXECUTORS, executor_settings, run_cohorts

__all__ = [
    "EXECUTORS",
    "Executor",
    "Job",
    "JobState",
    "Work",
    "call_with_torch",
    "executor_settings",
    "isolated_children",
    "run_cohorts",
    "warm_up",
]
