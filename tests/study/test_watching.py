"""How far runs are, read from their folders."""

import threading
from pathlib import Path

import pytest

from ablate.plan import Plan, build_plan, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Event, Failure, Progress, State, Store
from ablate.spec import Context
from ablate.study.watching import RunProgress, Watch, pause_s, watching
from tiny_sweeps import start_table4


@pytest.fixture
def plan(tmp_path: Path, context: Context) -> Plan:
    """Ten runs: the first has trained seven of eight epochs, the second has failed."""
    store = Store(start_table4(tmp_path / "started", context))
    catalogue = Catalogue()
    sweep = catalogue.sweep("table4")
    runs = sweep_runs(catalogue.rows(sweep, "vit_nano"), context, (0,))
    plan = build_plan(sweep, context, runs, store)
    first, second = plan.runs[0].folder, plan.runs[1].folder
    for epoch in range(1, 8):
        metrics = {"train_loss": 0.5, "miou": 0.7}
        first.append_event(Event(epoch=epoch, step=epoch, time=0.0, metrics=metrics))
    first.write_progress(
        Progress(epoch=8, epochs=8, step_in_epoch=5, steps_per_epoch=20, loss=0.25, time=0.0)
    )
    second.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    return plan


def test_a_run_that_is_trained_shows_where_it_is(plan: Plan) -> None:
    with plan.runs[0].folder.claim():
        first, second, third, *_ = Watch(plan.runs).look()
    assert first == RunProgress(
        name="translandseg-1",
        seed=0,
        state=State.RUNNING,
        share=7.25 / 8,
        epoch=7,
        epochs=8,
        loss=0.25,
        miou=0.7,
    )
    assert (second.state, second.is_terminal) == (State.FAILED, True)
    assert (third.state, third.share, third.epoch) == (State.NEW, 0.0, 0)


def test_a_run_that_waits_shows_its_whole_epochs(plan: Plan) -> None:
    first, *_ = Watch(plan.runs).look()
    assert (first.share, first.epoch, first.loss) == (7 / 8, 7, 0.5)


def test_a_broken_file_of_one_run_hides_no_other(plan: Plan) -> None:
    events = plan.runs[0].folder.path / "events.jsonl"
    events.write_text("{broken}\n")
    first, second, *_ = Watch(plan.runs).look()
    assert (first.epoch, second.state) == (0, State.FAILED)


def test_an_ended_run_is_not_read_again(plan: Plan) -> None:
    watch = Watch(plan.runs)
    plan.runs[1].folder.clear_failure()
    assert watch.look()[1].state is State.FAILED


@pytest.mark.parametrize(("look_s", "rest_s"), [(0.0, 0.5), (0.01, 0.5), (0.2, 1.8), (4.0, 36.0)])
def test_a_slow_look_is_followed_by_a_long_rest(look_s: float, rest_s: float) -> None:
    """Thousands of folders take long to read; watching must not take the time of the work."""
    assert pause_s(look_s) == pytest.approx(rest_s)


def test_the_first_look_is_from_before_the_training_and_the_last_from_after(plan: Plan) -> None:
    states: list[State] = []
    began = threading.Event()

    def record(runs: object) -> None:
        states.append(runs[2].state)  # type: ignore[index]
        began.set()

    with watching(plan.runs, record):
        assert began.wait(30)
        plan.runs[2].folder.write_failure(
            Failure(kind="diverged", message="m", detail="", time=0.0)
        )
    assert (states[0], states[-1]) == (State.NEW, State.DIVERGED)


def test_without_a_callback_nothing_is_started(plan: Plan) -> None:
    before = threading.active_count()
    with watching(plan.runs, None):
        assert threading.active_count() == before
