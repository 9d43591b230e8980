"""What is to be run: from a sweep's rows to runs with keys, grouped into cohorts."""

from ablate.plan.cohorts import Cohort, group_into_cohorts
from ablate.plan.inputs import identify_resnets, identify_weights, resnet_files
from ablate.plan.plan import (
    Plan,
    PlannedRun,
    Retry,
    build_plan,
    create_folders,
    create_run_folders,
    look_up,
    sweep_runs,
)
from ablate.plan.provenance import provenance

__all__ = [
    "Cohort",
    "Plan",
    "PlannedRun",
    "Retry",
    "build_plan",
    "create_folders",
    "create_run_folders",
    "group_into_cohorts",
    "identify_resnets",
    "identify_weights",
    "look_up",
    "provenance",
    "resnet_files",
    "sweep_runs",
]
