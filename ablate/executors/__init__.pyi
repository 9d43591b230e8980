from .base import (
    Choose,
    ClusterExecutor,
    Executor,
    Job,
    JobState,
    LeftJob,
    import_object,
    write_failures,
)
from .fork_server import call_with_torch, warm_up
from .isolation import how_it_ended, isolated_children, signals_blocked
from .registry import (
    EXECUTORS,
    check_can_detach,
    devices_in_use,
    executor_settings,
    jobs_go_on,
    left_jobs,
    run_cohorts,
)
from .waiting import Tell

__all__ = [
    "EXECUTORS",
    "Choose",
    "ClusterExecutor",
    "Executor",
    "Job",
    "JobState",
    "LeftJob",
    "Tell",
    "call_with_torch",
    "check_can_detach",
    "devices_in_use",
    "executor_settings",
    "how_it_ended",
    "import_object",
    "isolated_children",
    "jobs_go_on",
    "left_jobs",
    "run_cohorts",
    "signals_blocked",
    "warm_up",
    "write_failures",
]
