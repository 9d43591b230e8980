"""The program as a list of steps, and its Python interface.

``plan_sweep``: resolve names and paths, list the runs, choose the devices, group the cohorts.
``run_sweep``: try every row, note where data and weights lie, create the runs' folders, train the
cohorts while MLflow mirrors them, conclude. ``report_sweep``: count parameters, build the report.
``check_data``: open the data set, read every pair, compare the parts of the split.
"""

from ablate.study.data import check_data
from ablate.study.plan import SweepPlan, plan_sweep
from ablate.study.report import SweepReport, latest_start, report_sweep
from ablate.study.request import DEFAULT_EXECUTOR
from ablate.study.run import EndedRun, Outcome, run_sweep
from ablate.study.study import Study
from ablate.study.watching import Progress, RunProgress

__all__ = [
    "DEFAULT_EXECUTOR",
    "EndedRun",
    "Outcome",
    "Progress",
    "RunProgress",
    "Study",
    "SweepPlan",
    "SweepReport",
    "check_data",
    "latest_start",
    "plan_sweep",
    "report_sweep",
    "run_sweep",
]
