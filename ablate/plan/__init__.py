"""What is to be run: from a sweep's name to a list of runs with keys, grouped into cohorts."""

from ablate.plan.inputs import identify_resnets, identify_weights, resnet_files
from ablate.plan.plan import Cohort, Plan, PlannedRun, begin, cohorts, make, sweep_runs
from ablate.plan.provenance import provenance

__all__ = [
    "Cohort",
    "Plan",
    "PlannedRun",
    "begin",
    "cohorts",
    "identify_resnets",
    "identify_weights",
    "make",
    "provenance",
    "resnet_files",
    "sweep_runs",
]
