"""The program as a list of steps, and its Python interface.

``plan_sweep``: resolve names and paths, list the runs, choose the devices, group the cohorts.
``run_sweep``: try every row, note where data and weights lie, create the runs' folders, train the
cohorts while MLflow mirrors them, conclude; ``expect_training`` has torch imported while it is
planned. ``report_sweep``: count parameters, build the report.
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

import lazy_loader

# Each name is loaded when it is first used: a command waits for the modules that it needs alone.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
