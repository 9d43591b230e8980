from .bundle import verify_bundle, write_bundle
from .cancel import CancelledDriver, cancel_drivers, cancel_record
from .check import check_claims
from .data import check_data
from .data_convert import convert_data
from .decide import plan_decision
from .evaluate import choose_rows, chosen_device, evaluate_rows, rows_of
from .export import export_row
from .leftovers import Leftovers, find_leftovers, remove_leftovers
from .logs import RunLog, run_log
from .merge import MergeOutcome, merge_stores
from .mirrored_report import sync_mirror
from .plan import SweepPlan, plan_sweep
from .predict import chosen_devices, predict_row
from .report import SweepReport, latest_start, report_sweep
from .request import DEFAULT_EXECUTOR, DEFAULT_SAMPLER, DEFAULT_TRIALS
from .run import EndedRun, Outcome, expect_training, run_sweep
from .status import status_of
from .study import Study
from .trained_rows import trained_row
from .tune import TuningOutcome, TuningProgress, tune_sweep
from .tuning_ledger import RowTrials
from .tuning_plan import MAX_TRIALS, TuningPlan, plan_tuning
from .verify import verify_store, verify_sweep
from .watching import Progress, RunProgress

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
    "cancel_record",
    "check_claims",
    "check_data",
    "choose_rows",
    "chosen_device",
    "chosen_devices",
    "convert_data",
    "evaluate_rows",
    "expect_training",
    "export_row",
    "find_leftovers",
    "latest_start",
    "merge_stores",
    "plan_decision",
    "plan_sweep",
    "plan_tuning",
    "predict_row",
    "remove_leftovers",
    "report_sweep",
    "rows_of",
    "run_log",
    "run_sweep",
    "status_of",
    "sync_mirror",
    "trained_row",
    "tune_sweep",
    "verify_bundle",
    "verify_store",
    "verify_sweep",
    "write_bundle",
]
