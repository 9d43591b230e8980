"""Tunings in MLflow: trials and the runs of the best settings below a parent of their own."""

import pytest
from fake_store import CREATED_S, conclude, context, fake_store, log_epochs
from reading import all_runs, nested, parents
from test_follow import following, wait_until

from ablate.runs import (
    Provenance,
    RecordedRun,
    RunFolder,
    SamplerRecord,
    SpecFile,
    Trial,
    TunedRow,
    TuningRecord,
)
from ablate.spec import InnerSplit, RunSpec
from ablate.tracking import group_id, sync
from ablate.tracking.groups import groups_of

RATES = (1e-3, 2e-3)


class FakeTuning:
    """A sweep of one row in a store, and a tuning of it with two trials."""

    def __init__(self, root):
        self.fake = fake_store(root, names=["translandseg"], seeds=(0, 1))
        outer = context()
        split = InnerSplit(kind="inner", of=outer.protocol.split, validation_share=0.3, seed=0)
        inner = outer.model_copy(
            update={"protocol": outer.protocol.model_copy(update={"split": split})}
        )
        self.trials = [self._spec(inner, rate) for rate in RATES]
        self.tuned = [self._spec(outer, RATES[1], seed) for seed in (0, 1)]
        self.record = TuningRecord(
            sweep=self.fake.record.sweep,
            context=outer,
            inner=inner,
            sampler=SamplerRecord(name="qmc", options={}, seed=0, library="optuna"),
            space={"optimizer.lr": {"choices": list(RATES)}},
            budget=2,
            metric="miou",
            trials=tuple(
                Trial(number=number, setting={"optimizer.lr": rate}, run=_recorded(spec))
                for number, (rate, spec) in enumerate(zip(RATES, self.trials, strict=True), 1)
            ),
            updated=CREATED_S,
        )
        self.write()

    def _spec(self, within, rate, seed=0):
        optimizer = within.protocol.optimizer.model_copy(update={"lr": rate})
        protocol = within.protocol.model_copy(update={"optimizer": optimizer})
        spec = self.fake.specs[0]
        return spec.model_copy(
            update={"context": within.model_copy(update={"protocol": protocol}), "seed": seed}
        )

    def write(self):
        self.fake.store.record_tuning(self.record)

    def choose(self):
        runs = tuple(map(_recorded, self.tuned))
        row = TunedRow(row="translandseg", trial=2, setting={"optimizer.lr": RATES[1]}, runs=runs)
        self.record = self.record.model_copy(update={"tuned": (row,)})
        self.write()

    def begin(self, spec: RunSpec) -> RunFolder:
        folder = self.fake.store.run(spec.key)
        packages = {"torch": "2"}
        origin = Provenance(
            created=CREATED_S, ablate="0", commit=None, python="3", packages=packages
        )
        folder.create(SpecFile(key=spec.key, run=spec, provenance=origin))
        return folder


def _recorded(spec: RunSpec) -> RecordedRun:
    return RecordedRun(key=spec.key, name=spec.name, variant=spec.variant, seed=spec.seed)


@pytest.fixture
def tuning(tmp_path, with_database):
    made = FakeTuning(tmp_path / "store")
    with_database(made.fake.store)
    return made


def finish(tuning, spec):
    folder = tuning.begin(spec)
    log_epochs(folder, 1, 4)
    conclude(folder)


def test_trials_and_best_settings_are_below_a_parent_of_their_own(tuning):
    store = tuning.fake.store
    for index in (0, 1):
        tuning.fake.finish(index)
    tuning.choose()
    for spec in tuning.trials:
        finish(tuning, spec)
    # The second rate is the default: these runs are the sweep's own, too.
    records = [*store.sweep_records(), *store.tunings()]
    count = sync(store, records)
    by_name = {run.info.run_name: run for run in parents(store)}
    assert by_name.keys() == {"table4 · demo", "table4 (tuning) · demo"}
    parent = by_name["table4 (tuning) · demo"]
    below = [
        run
        for run in all_runs(store)
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    assert {run.info.run_name for run in below} == {
        "TransLandSeg · trial 1",
        "TransLandSeg · trial 2",
        "TransLandSeg · tuned · seed 0",
        "TransLandSeg · tuned · seed 1",
    }
    assert count == 2 + 4
    assert {spec.key for spec in tuning.tuned} == {spec.key for spec in tuning.fake.specs}
    assert {run.info.status for run in all_runs(store)} == {"FINISHED"}
    first = next(run for run in below if run.info.run_name.endswith("trial 1"))
    assert first.data.params["tuning.trial"] == "1"
    assert first.data.params["tuning.role"] == "trial"
    assert first.data.params["tuning.optimizer.lr"] == "0.001"
    assert first.data.params["protocol.optimizer.lr"] == "0.001"
    assert first.data.params["protocol.split.kind"] == "inner"
    # Once more changes nothing.
    before = {run.info.run_id: run.info.run_name for run in all_runs(store)}
    sync(store, records)
    assert {run.info.run_id: run.info.run_name for run in all_runs(store)} == before


def test_an_interrupted_tuning_is_never_left_running(tuning):
    store = tuning.fake.store
    finish(tuning, tuning.trials[0])
    folder = tuning.begin(tuning.trials[1])
    folder.save_checkpoint(1, b"state")
    sync(store, store.tunings())
    (parent,) = parents(store)
    assert parent.info.status == "KILLED"
    assert {run.info.status for run in nested(store).values()} == {"FINISHED", "KILLED"}


def test_what_is_recorded_later_is_mirrored_while_it_runs(tuning, tmp_path):
    store = tuning.fake.store
    ids = [tuning.fake.record.id, group_id(tuning.record)]
    assert ids == [group.id for group in groups_of(store)]
    finish(tuning, tuning.trials[0])

    def names():
        try:
            return {run.info.run_name for run in all_runs(store)}
        except AttributeError:  # the experiment is not there yet
            return set()

    with following(tuning.fake, tmp_path / "log", ids=ids) as (process, stop):
        wait_until(lambda: "TransLandSeg · trial 1" in names(), "the first trial")
        tuning.choose()
        finish(tuning, tuning.tuned[0])
        wait_until(lambda: "TransLandSeg · tuned · seed 0" in names(), "the best setting")
        stop.close()
        process.join(60)
        assert process.exitcode == 0
    assert "RUNNING" not in {run.info.status for run in all_runs(store)}
