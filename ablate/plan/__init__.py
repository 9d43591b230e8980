"""What is to be run: from a sweep's name to a list of runs with keys, grouped into cohorts."""

from ablate.plan.inputs import identify_weights
from ablate.plan.plan import Cohort, Plan, PlannedRun, cohorts, make, sweep_runs
from ablate.plan.provenance import provenance

__all__ = [
    "Cohort",
    "Plan",
    "PlannedRun",
    "cohorts",
    "identify_weights",
    "make",
    "provenance",
    "sweep_runs",
]
