"""``Study.tune``: trials on an inner split, a choice, and every row trained anew with it."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import optuna
import pytest

from ablate.errors import Interrupted
from ablate.executors.registry import run_cohorts
from ablate.runs import State, Store
from ablate.study import TuningProgress
from ablate.tune.storage import open_database, open_journal
from study.tuning_studies import ONE, RATE, TUNE, study


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained: every run ends at once, with a score that follows from its setting."""
    work = partial(run_cohorts, work="study.tuning_works:score")
    monkeypatch.setattr("ablate.study.run.run_cohorts", work)
    for name in ("warm_up", "check_rows", "count_for_report"):
        monkeypatch.setattr(f"ablate.study.tune.{name}", lambda *_: None)


def trained_once(store: Path) -> bool:
    """Whether every run was worked on once."""
    return all(path.read_text() == "one\n" for path in store.glob("runs/*/attempts"))


def optuna_states(store: Path) -> dict[str, list[str]]:
    """The states of the trials in the store's journal, by row."""
    (path,) = (store / "tunings").glob("*.journal")
    storage = open_journal(path)
    return {
        name.rpartition("/")[2]: [
            trial.state.name for trial in optuna.load_study(study_name=name, storage=storage).trials
        ]
        for name in optuna.get_all_study_names(storage)
    }


def test_every_row_sees_the_same_settings_and_is_trained_anew_with_its_best(folder: Path) -> None:
    seen: list[TuningProgress] = []
    outcome = study(folder).tune(seen.append, trials=4)
    record, store = outcome.record, Store(folder / "store")
    assert store.tuning(record.id) == record
    rows = ["translandseg-2", "translandseg", "decoder-only"]
    assert list(dict.fromkeys(trial.run.name for trial in record.trials)) == rows
    settings = {row: [trial.setting for trial in record.trials_of(row)] for row in rows}

    # The n-th setting is one for all rows, as far as they have its fields.
    assert settings["translandseg"] == settings["translandseg-2"]
    rates = [{"optimizer.lr": setting["optimizer.lr"]} for setting in settings["translandseg"]]
    assert settings["decoder-only"] == rates

    # Of one setting that means the same run, one is trained: `m` has no kernel.
    keys = {row: [trial.run.key for trial in record.trials_of(row)] for row in rows}
    assert len(set(keys["translandseg-2"])) == 4
    assert len(set(keys["translandseg"])) == len(set(keys["decoder-only"])) == 2
    assert len(outcome.trials) == 8

    # The best of each row on the inner split, the first of equals.
    for row in outcome.rows:
        trials = record.trials_of(row.row)
        results = [store.run(trial.run.key).result() for trial in trials]
        scores = [result.metrics["miou"] for result in results if result]
        assert (row.trials, row.ended, row.done, len(scores)) == (4, 4, 4, 4)
        assert row.value == max(scores)
        assert row.best == scores.index(max(scores)) + 1
        spent = {result.key: result.train_s for result in results if result}
        assert row.spent_s == pytest.approx(sum(spent.values()))
        (tuned,) = [each for each in record.tuned if each.row == row.row]
        assert (tuned.trial, tuned.setting) == (row.best, row.setting)
        assert [run.seed for run in tuned.runs] == [1, 0]

    # Trials have the first seed and an inner split; the rest has the sweep's own.
    specs = [store.run(trial.run.key).spec() for trial in record.trials]
    assert {spec.seed for spec in specs} == {1}
    for spec in specs:
        split = spec.context.protocol.split
        assert split.kind == "inner"
        assert split.of == record.context.protocol.split
        assert (spec.context.data.train, spec.context.data.validation) == (10, 3)
    runs = [run for row in record.tuned for run in row.runs]
    for run in runs:
        spec = store.run(run.key).spec()
        assert spec.context.protocol.split == record.context.protocol.split
        assert spec.context.data == record.context.data
        (setting,) = [row.setting for row in record.tuned if row.row == run.name]
        assert spec.context.protocol.optimizer.lr == setting["optimizer.lr"]
        assert f"optimizer.lr={json.dumps(setting['optimizer.lr'])}" in spec.context.watermark
    assert {store.run(run.key).state() for run in runs} == {State.DONE}

    # Beside the rows as they are declared, which the report shows.
    table = study(folder).report().to_frame().set_index("variant")
    assert list(table["n"]) == [2, 2, 2]
    assert outcome.failed == outcome.without_choice == outcome.notes == ()

    # Optuna's storage shows all of it.
    assert optuna_states(folder / "store") == dict.fromkeys(rows, ["COMPLETE"] * 4)

    assert [each.is_final for each in (seen[0], seen[-1])] == [False, True]
    assert {run.name for run in seen[0].runs} >= {"decoder-only · trial 1"}
    assert {run.name for run in seen[-1].runs} >= {"decoder-only", "decoder-only · tuned"}
    assert {run.state for run in seen[-1].runs} == {State.DONE}

    again = study(folder).tune(trials=4)
    assert (again.pending, again.record.tuned) == (0, record.tuned)


@pytest.mark.usefixtures("untrained")
def test_more_trials_go_on_and_fewer_are_a_part_of_them(folder: Path) -> None:
    two = study(folder, TUNE, **ONE).tune(trials=2)
    three = study(folder, TUNE, **ONE).tune(trials=3)
    assert three.record.trials[:2] == two.record.trials
    assert three.record.budget == 3
    assert not three.began_anew
    fewer = study(folder, TUNE, **ONE).tune(trials=2)
    assert fewer.pending == 0
    assert (fewer.record.trials, fewer.record.tuned) == (two.record.trials, two.record.tuned)


@pytest.mark.usefixtures("untrained")
def test_another_row_joins_with_the_same_settings(folder: Path) -> None:
    study(folder, TUNE, **ONE).tune(trials=2)
    both = study(folder, TUNE, variants=["translandseg"], seeds=[0]).tune(trials=2)
    record = both.record
    first, second = record.trials_of("translandseg"), record.trials_of("decoder-only")
    assert [trial.setting for trial in first] == [trial.setting for trial in second]
    assert [row.row for row in record.tuned] == ["translandseg", "decoder-only"]


@pytest.mark.usefixtures("untrained")
def test_what_a_merge_brings_before_the_first_trial_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = study(folder, TUNE, variants=["translandseg"], seeds=[0], store=folder / "other")
    brought = other.tune(trials=2).record

    def merge(*_: object) -> None:
        Store(folder / "store").record_tuning(brought)

    monkeypatch.setattr("ablate.study.tune.check_rows", merge)
    record = study(folder, TUNE, **ONE).tune(trials=2).record
    assert record.trials_of("translandseg") == brought.trials_of("translandseg")
    assert len(record.trials_of("decoder-only")) == 2


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
@pytest.mark.usefixtures("untrained")
def test_interrupted_sequences_are_the_undisturbed_ones(folder: Path, sampler: str) -> None:
    (folder / "a").mkdir()
    whole = study(folder, TUNE, **ONE, store=folder / "a").tune(trials=7, sampler=sampler)
    for count in (3, 6):
        study(folder, TUNE, **ONE).tune(trials=count, sampler=sampler)
    # What Optuna's storage holds decides nothing.
    (journal,) = (folder / "store" / "tunings").glob("*.journal")
    journal.unlink()
    parted = study(folder, TUNE, **ONE).tune(trials=7, sampler=sampler)
    assert parted.record.trials == whole.record.trials
    assert parted.record.tuned == whole.record.tuned
    assert trained_once(folder / "store")
    assert optuna_states(folder / "store") == {"decoder-only": ["COMPLETE"] * 7}


@pytest.mark.usefixtures("untrained")
def test_another_space_begins_anew_and_trains_nothing_twice(folder: Path) -> None:
    space = {"space": {"optimizer.lr": RATE}}
    study(folder, space, **ONE).tune(trials=2)
    other = study(folder, {"space": {"optimizer.lr": RATE}, "metric": "f1"}, **ONE)
    outcome = other.tune(trials=2)
    assert outcome.began_anew
    assert outcome.record.metric == "f1"
    assert outcome.pending == 0
    assert trained_once(folder / "store")


@pytest.mark.usefixtures("untrained")
def test_what_fails_is_tried_again_by_the_next_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = partial(run_cohorts, work="study.tuning_works:break_at_the_second")
    monkeypatch.setattr("ablate.study.run.run_cohorts", work)
    failed = study(folder, TUNE, **ONE).tune(trials=3, sampler="tpe")
    (row,) = failed.rows
    assert (row.trials, row.ended, row.done, row.best) == (3, 3, 1, 1)
    assert [run.name for run in failed.failed][:2] == [
        "decoder-only · trial 2",
        "decoder-only · trial 3",
    ]
    assert optuna_states(folder / "store") == {"decoder-only": ["COMPLETE", "FAIL", "FAIL"]}
    (folder / "store" / "runs" / "fixed").touch()
    repeated = study(folder, TUNE, **ONE).tune(trials=3, sampler="tpe")
    assert repeated.failed == ()
    assert repeated.record.trials == failed.record.trials
    assert repeated.rows[0].done == 3
    states = optuna_states(folder / "store")["decoder-only"]
    assert states == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]


@pytest.mark.usefixtures("untrained")
def test_with_fail_fast_the_first_failure_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = partial(run_cohorts, work="study.tuning_works:break_at_the_second")
    monkeypatch.setattr("ablate.study.run.run_cohorts", work)
    cut = study(folder, TUNE, **ONE, keep_going=False).tune(trials=3, sampler="tpe")
    assert cut.is_cut_short
    (row,) = cut.rows
    assert (row.trials, row.ended, row.done) == (2, 2, 1)
    assert [run.state for run in cut.runs] == [State.NEW]
    (folder / "store" / "runs" / "fixed").touch()
    left = study(folder, TUNE, **ONE, retry="none", keep_going=False).tune(trials=3, sampler="tpe")
    assert (left.rows[0].done, left.is_cut_short) == (2, False)
    repeated = study(folder, TUNE, **ONE).tune(trials=3, sampler="tpe")
    assert (repeated.rows[0].done, repeated.failed) == (3, ())


@pytest.mark.usefixtures("untrained")
def test_a_trial_that_diverges_is_no_failure(folder: Path) -> None:
    tune = {"space": {"optimizer.lr": {"choices": [1e-3, 1e30]}}}
    outcome = study(folder, tune, **ONE, keep_going=False).tune(trials=4)
    assert outcome.rows[0].ended == 4
    assert not outcome.is_cut_short


@pytest.mark.usefixtures("untrained")
def test_what_diverges_counts_and_is_told_as_failed(folder: Path) -> None:
    tune = {"space": {"optimizer.lr": {"choices": [1e-3, 1e30]}}}
    outcome = study(folder, tune, **ONE).tune(trials=4)
    (row,) = outcome.rows
    assert (row.trials, row.ended) == (4, 4)
    assert 0 < row.done < 4
    assert row.setting == {"optimizer.lr": 1e-3}
    assert outcome.failed == ()
    states = optuna_states(folder / "store")["decoder-only"]
    assert sorted(states) == sorted(["COMPLETE"] * row.done + ["FAIL"] * (4 - row.done))


@pytest.mark.usefixtures("untrained")
def test_a_row_of_which_nothing_is_done_has_no_best_setting(folder: Path) -> None:
    tune = {"space": {"optimizer.lr": {"choices": [1e29, 1e30]}}}
    outcome = study(folder, tune, **ONE).tune(trials=2)
    assert outcome.without_choice == ("decoder-only",)
    assert outcome.record.tuned == ()
    # The row as it is declared is trained all the same.
    assert [run.state for run in outcome.runs] == [State.DONE]


@pytest.mark.usefixtures("untrained")
def test_the_storage_may_be_a_database(folder: Path) -> None:
    url = f"sqlite:///{folder}/tuning.db"
    outcome = study(folder, TUNE, **ONE).tune(trials=2, storage=url)
    storage = open_database(url)
    (name,) = optuna.get_all_study_names(storage)
    found = optuna.load_study(study_name=name, storage=storage)
    assert [trial.state.name for trial in found.trials] == ["COMPLETE"] * 2
    assert found.best_params == outcome.rows[0].setting
    assert list((folder / "store" / "tunings").glob("*.journal")) == []


@pytest.mark.usefixtures("untrained")
def test_a_storage_that_was_removed_is_filled_again(folder: Path) -> None:
    study(folder, TUNE, **ONE).tune(trials=2)
    (journal,) = (folder / "store" / "tunings").glob("*.journal")
    journal.unlink()
    assert study(folder, TUNE, **ONE).tune(trials=2).pending == 0
    assert optuna_states(folder / "store") == {"decoder-only": ["COMPLETE"] * 2}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.usefixtures("untrained")
def test_a_signal_between_the_trainings_leaves_no_trial_running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr("ablate.study.tune.group_into_cohorts", stop)
        before = signal.getsignal(number)
        with pytest.raises(Interrupted):
            study(folder, TUNE, **ONE).tune(trials=2)
        assert signal.getsignal(number) is before
    assert optuna_states(folder / "store") == {"decoder-only": ["WAITING"] * 2}
    study(folder, TUNE, **ONE).tune(trials=2)
    assert optuna_states(folder / "store") == {"decoder-only": ["COMPLETE"] * 2}
