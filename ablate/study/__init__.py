"""The program as a list of steps, and its Python interface.

``plan_sweep``: resolve names and paths, list the runs, choose the devices, group the cohorts.
``run_sweep``: try every row, note where data and weights lie, create the runs' folders, train the
cohorts while MLflow mirrors them, conclude. ``report_sweep``: count parameters, build the report.
``plan_decision``: read the runs, say how many more would decide each claim.
``check_claims``: read the runs, decide each claim.
``tune_sweep``: try settings for every row on the training images, train each row's best anew.
``verify_sweep``: recompute every number of every run, build the report from them, compare.
``write_bundle``: copy what the runs have left, build the report from the copy, pack both.
``verify_bundle``: unpack, compare digests, recompute, build the report anew, compare.
``merge_stores``: read every run of every store, find contradictions, copy, join the records.
``sweep_status``: read the records, say what every run is at. ``run_log``: find one run, read all
that its folder and its worker's log tell.
``cancel_drivers``: find the processes that train, ask them to end, wait until they have.
``find_leftovers``: read the records, list what none of them names. ``remove_leftovers``: keep
sweeps from starting, list, remove.
``check_data``: open the data set, read every pair, compare the parts of the split.
``evaluate_rows``: open the other data sets, read every pair, score what is not scored yet, compare.
``sync_mirror``: build the reports, bring MLflow up to date.
``convert_data``: open the data set, write every pair into two plain folders.
"""

from ablate.study.bundle import verify_bundle, write_bundle
from ablate.study.cancel import CancelledDriver, cancel_drivers
from ablate.study.check import check_claims
from ablate.study.data import check_data
from ablate.study.data_convert import convert_data
from ablate.study.decide import plan_decision
from ablate.study.evaluate import choose_rows, evaluate_rows
from ablate.study.leftovers import Leftovers, find_leftovers, remove_leftovers
from ablate.study.logs import RunLog, run_log
from ablate.study.merge import MergeOutcome, merge_stores
from ablate.study.mirrored_report import sync_mirror
from ablate.study.plan import SweepPlan, plan_sweep
from ablate.study.report import SweepReport, latest_start, report_sweep
from ablate.study.request import DEFAULT_EXECUTOR
from ablate.study.run import EndedRun, Outcome, run_sweep
from ablate.study.study import Study
from ablate.study.tune import TuningOutcome, TuningProgress, tune_sweep
from ablate.study.tuning_ledger import RowTrials
from ablate.study.tuning_plan import (
    DEFAULT_SAMPLER,
    DEFAULT_TRIALS,
    MAX_TRIALS,
    TuningPlan,
    plan_tuning,
)
from ablate.study.verify import verify_store, verify_sweep
from ablate.study.watching import Progress, RunProgress

__all__ = [
    "DEFAULT_EXECUTOR",
    "DEFAULT_SAMPLER",
    "DEFAULT_TRIALS",
    "MAX_TRIALS",
    "CancelledDriver",
    "EndedRun",
    "Leftovers",
    "MergeOutcome",
    "Outcome",
    "Progress",
    "RowTrials",
    "RunLog",
    "RunProgress",
    "Study",
    "SweepPlan",
    "SweepReport",
    "TuningOutcome",
    "TuningPlan",
    "TuningProgress",
    "cancel_drivers",
    "check_claims",
    "check_data",
    "choose_rows",
    "convert_data",
    "evaluate_rows",
    "find_leftovers",
    "latest_start",
    "merge_stores",
    "plan_decision",
    "plan_sweep",
    "plan_tuning",
    "remove_leftovers",
    "report_sweep",
    "run_log",
    "run_sweep",
    "sync_mirror",
    "tune_sweep",
    "verify_bundle",
    "verify_store",
    "verify_sweep",
    "write_bundle",
]
