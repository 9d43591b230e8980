"""Which trials belong to a row: it may have been edited since, and settings may come twice."""

import pytest

from ablate.runs import RecordedRun, Trial
from ablate.spec import SamVariant
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import A, B, TuningOnDisk, tuned_row


def test_trials_of_what_a_row_was_before_do_not_count(tuning: TuningOnDisk) -> None:
    table = tuning.sweep
    table.variants = {A: table.variant("translandseg-9")}
    for seed in table.seeds:
        table.finish(A, seed, miou=0.5)
    row = tuned_row(table, A)
    assert row.selected.default.mean == pytest.approx(50)
    assert (row.chosen, row.missing_reason) == (None, "changed since it was run")
    assert (row.trials.done, row.best_of_k) == (0, ())
    assert row.by_setting is None
    assert tuned_row(table, B).chosen is not None


def test_a_tuned_field_of_the_variant_makes_no_other_row(table: SweepOnDisk) -> None:
    table.names = (B,)
    made = TuningOnDisk(table, budget=1)
    declared = table.variant(B)
    assert isinstance(declared, SamVariant)
    wide = declared.model_copy(update={"adapter": declared.adapter.model_copy(update={"width": 8})})
    other = SweepOnDisk(table.root, table.protocol, names=(B,), variants={B: wide})
    for setting, kept in (({"adapter.width": 8}, 1), ({"adapter.width": 4}, 0)):
        other.finish(B, miou=0.8)
        run = RecordedRun(key=other.run(B).key, name=B, variant=wide, seed=0)
        made.trials = [Trial(number=1, setting=setting, run=run)]
        made.record()
        assert tuned_row(table, B).trials.done == kept


def test_a_run_that_is_several_trials_is_paid_for_once(table: SweepOnDisk) -> None:
    table.names = (B,)
    made = TuningOnDisk(table, budget=2)
    made.add_trial(B, 1e-3, 0.8)
    made.trials.append(made.trials[0].model_copy(update={"number": 2}))
    made.record()
    row = tuned_row(table, B)
    assert (row.trials.done, row.trials.device_s) == (2, 12.5)
    assert row.best_of_k == pytest.approx((80, 80))
