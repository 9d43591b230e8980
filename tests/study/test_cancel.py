"""``ablate cancel``: a process that trains is asked by a file to save its state and to end."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from ablate.errors import BadInput, Interrupted, StoreError
from ablate.executors.registry import run_cohorts
from ablate.plan import create_run_folders
from ablate.runs import State, Store
from ablate.runs.drivers import Driver, DriverFile, driver_files, driving
from ablate.study import CancelledDriver, cancel_drivers
from cli.command import ablate, start
from study.test_second_start import trained_elsewhere
from tiny_sweeps import tiny_study

PATIENCE_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which two runs of Table IV were started."""
    opened = Store(tmp_path / "store")
    create_run_folders(tiny_study(opened.root).plan().plan, opened)
    return opened


def is_driven(store: Store) -> bool:
    """Whether a driver lives and a run is being trained."""
    drivers = [file for file in driver_files(store.drivers_path) if file.lives() and file.read()]
    return bool(drivers) and any(run.state() is State.RUNNING for run in store.runs())


@contextmanager
def cancelled_once_running(
    store: Path, **words: object
) -> Iterator[list[tuple[CancelledDriver, ...]]]:
    """Cancels from another thread as soon as a run is being trained."""
    outcomes: list[tuple[CancelledDriver, ...]] = []

    def cancel() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_driven(Store(store)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        outcomes.append(cancel_drivers(store, **words))  # type: ignore[arg-type]

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        yield outcomes
    finally:
        thread.join()


def untrained(monkeypatch: pytest.MonkeyPatch, work: str = "wait_until_stopped") -> None:
    for room in ("run", "tune"):
        for name in ("warm_up", "check_rows", "count_for_report"):
            monkeypatch.setattr(f"ablate.study.{room}.{name}", lambda *_: None)
    work = f"study.stopping_works:{work}"
    monkeypatch.setattr("ablate.study.run.run_cohorts", partial(run_cohorts, work=work))


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_the_driver_ends_with_its_state_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    untrained(monkeypatch)
    study = tiny_study(tmp_path, executor=executor)
    with (
        cancelled_once_running(tmp_path) as outcomes,
        pytest.raises(Interrupted, match="stopped by `ablate cancel`"),
    ):
        study.run()
    ((asked,),) = outcomes
    assert asked.has_ended
    assert (asked.driver.sweep, asked.driver.pid) == ("table4", os.getpid())
    states = [run.state for run in study.plan().plan.runs]
    assert sorted(states) == [State.INTERRUPTED, State.NEW]
    assert [path.name for path in (tmp_path / "drivers").iterdir()] == [".drivers.lock"]


def test_a_tuning_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained(monkeypatch)
    with (
        cancelled_once_running(tmp_path, sweep="table4") as outcomes,
        pytest.raises(Interrupted, match="stopped by `ablate cancel`"),
    ):
        tiny_study(tmp_path, executor="inline").tune(trials=2)
    ((asked,),) = outcomes
    assert asked.has_ended


@pytest.mark.parametrize("act", ["run", "tune"])
def test_a_preflight_is_cancelled(store: Store, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """In a store that is there; one that is not there yet is made after it."""
    untrained(monkeypatch)
    asked: list[CancelledDriver] = []

    def preflight(_: object) -> None:
        asked.extend(cancel_drivers(store.root, patience_s=0))

    monkeypatch.setattr(f"ablate.study.{act}.check_rows", preflight)
    study = tiny_study(store.root, executor="inline")
    with pytest.raises(Interrupted, match="stopped by `ablate cancel`"):
        study.tune(trials=2) if act == "tune" else study.run()
    assert [each.driver.pid for each in asked] == [os.getpid()]
    assert all(run.state() is State.NEW for run in store.runs())


def test_a_refused_sweep_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained(monkeypatch)

    def refuse(_: object) -> None:
        raise BadInput("nothing is ablated", "")

    monkeypatch.setattr("ablate.study.run.check_rows", refuse)
    with pytest.raises(BadInput, match="nothing is ablated"):
        tiny_study(tmp_path / "store").run()
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_another_process_is_cancelled(store: Store) -> None:
    first, second = store.runs()
    with (
        trained_elsewhere(first, is_done=False),
        trained_elsewhere(second, is_done=False),
        cancelled_once_running(store.root, key=first.key) as outcomes,
        pytest.raises(Interrupted),
    ):
        tiny_study(store.root, executor="inline").run()
    assert [asked.has_ended for asked in outcomes[0]] == [True]


def test_only_the_sweep_that_is_named_is_asked(store: Store) -> None:
    with (
        driving(store.drivers_path, "table4-00000000", "table4") as named,
        driving(store.drivers_path, "mine-00000000", "mine") as other,
    ):
        (asked,) = cancel_drivers(store.root, "table4", patience_s=0.2)
        assert not asked.has_ended
        assert named.is_cancelled()
        assert not other.is_cancelled()
        both = cancel_drivers(store.root, patience_s=0.2)
        assert len(both) == 2


def test_a_key_asks_the_sweep_that_trains_it(store: Store) -> None:
    study = tiny_study(store.root)
    record = store.sweep_records()[0].id
    (first, second) = store.runs()
    with (
        driving(store.drivers_path, record, "table4") as mine,
        driving(store.drivers_path, "table4-00000000", "table4") as other,
    ):
        assert cancel_drivers(store.root, key=second.key, patience_s=0.2) == ()
        with first.claim():
            (asked,) = cancel_drivers(store.root, key=first.key[:9], patience_s=0.2)
        assert asked.driver.record == record
        assert mine.is_cancelled()
        assert not other.is_cancelled()
        assert [each.driver.record for each in study.cancel(0.2)] == [record]


def test_where_nothing_is_trained_nobody_is_asked(store: Store) -> None:
    assert cancel_drivers(store.root) == ()
    assert cancel_drivers(store.root, "table4") == ()
    assert cancel_drivers(store.root, key=store.runs()[0].key) == ()


def test_what_does_not_exist_is_one_line(tmp_path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match=r"there is no store .*nowhere; give"):
        cancel_drivers(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"sweep tabel4 was never started in .*; those that were"):
        cancel_drivers(store.root, "tabel4")
    with pytest.raises(BadInput, match="no run is called 'zzz'"):
        cancel_drivers(store.root, key="zzz")


def test_dead_and_damaged_drivers_are_passed_over_and_removed(store: Store) -> None:
    folder = store.drivers_path
    folder.mkdir()
    dead = DriverFile(folder / "0000000000001-0123abcd.json")
    driver = Driver(record="r", sweep="table4", pid=1, host="h", started=1.0)
    dead.path.write_text(driver.model_dump_json())
    dead.cancel()
    damaged = DriverFile(folder / "0000000000002-0123abcd.json")
    damaged.path.write_bytes(b"\xff{")
    os.mkfifo(folder / "0000000000003-0123abcd.lock")
    (folder / "notes.txt").touch()
    assert cancel_drivers(store.root) == ()
    with driving(folder, "r", "table4") as living:
        assert [file.path for file in driver_files(folder)] == [living.path]
        assert not living.is_cancelled()
    assert sorted(path.name for path in folder.iterdir()) == [".drivers.lock", "notes.txt"]


def test_a_command_in_another_terminal_ends_a_sweep(tmp_path: Path) -> None:
    words = ["run", "--grid", "table4", "--protocol", "demo", "--no-track", "--device", "cpu"]
    words += ["--set", "data={kind: generated, seed: 1, count: 20, size_px: 64}"]
    words += ["--set", "image_size_px=64", "--set", "epochs=2000", "--variant", "translandseg"]
    driver = start(tmp_path, *words)
    with ExitStack() as stack:
        stack.callback(driver.kill)
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not list(tmp_path.glob("ablate-store/runs/*/checkpoint-*.pt")):
            assert time.monotonic() < deadline
            assert driver.poll() is None
            time.sleep(0.05)
        done = ablate(tmp_path, "cancel", "--grid", "table4")
        assert done.returncode == 0, done.stderr
        assert f"table4: process {driver.pid} on " in done.stdout
        assert "has ended, its state is saved; the same command continues" in done.stdout
        assert driver.wait(PATIENCE_S) == 75
    again = ablate(tmp_path, "cancel")
    assert (again.returncode, again.stdout) == (0, "nothing is being trained in ablate-store\n")
