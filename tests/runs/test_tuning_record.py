from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.runs import RecordedRun, SamplerRecord, Store, Trial, TunedRow, TuningRecord
from ablate.spec import Context, RunSpec


@pytest.fixture
def tuning(context: Context, run_spec: RunSpec) -> TuningRecord:
    run = RecordedRun(
        key=run_spec.key, name=run_spec.name, variant=run_spec.variant, seed=run_spec.seed
    )
    setting = {"optimizer.lr": 1e-3, "adapter.width": 16}
    return TuningRecord(
        sweep=Catalogue().sweep("table4"),
        context=context,
        inner=context,
        sampler=SamplerRecord(name="qmc", options={"scramble": True}, seed=0, library="optuna 5"),
        space={"optimizer.lr": {"low": 1e-4, "high": 1e-2}},
        budget=2,
        metric="miou",
        trials=tuple(Trial(number=number, setting=setting, run=run) for number in (1, 2)),
        tuned=(TunedRow(row=run.name, trial=2, setting=setting, runs=(run,)),),
        updated=1.0,
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path, tuning: TuningRecord) -> None:
    store = Store(tmp_path)
    assert store.tuning(tuning.id) is None
    assert store.tunings() == []
    later = tuning.model_copy(update={"updated": 2.0})
    store.record_tuning(tuning)
    store.record_tuning(later)
    (tmp_path / "tunings" / "notes.json").write_text("{}")
    assert store.tuning(tuning.id) == later
    assert store.tunings() == [later]
    assert [trial.number for trial in later.trials_of(later.tuned[0].row)] == [1, 2]
    assert later.trials_of("another") == []


def test_a_broken_record_is_one_line(tmp_path: Path, tuning: TuningRecord) -> None:
    store = Store(tmp_path)
    store.record_tuning(tuning)
    (tmp_path / "tunings" / f"{tuning.id}.json").write_text('{"schema_version": 2}')
    with pytest.raises(StoreError, match="tune with the same words again"):
        store.tuning(tuning.id)
