"""What every executor promises; a new one subclasses ``ExecutorConformance``."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ablate.errors import Interrupted
from ablate.executors import Executor
from ablate.plan import Cohort, PlannedRun, cohorts, make, provenance, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Machine, Parameters, Result, RunFolder, SpecFile, State, Store
from ablate.spec import Context

PATIENCE_S = 30.0


def finish(folder: RunFolder, device: str) -> None:
    """Makes a run done, saying in its result who did it."""
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=1,
            epochs=1,
            steps=1,
            metrics={"miou": 0.5},
            confusion={"tp": 1, "fp": 1, "fn": 1, "tn": 1},
            parameters=Parameters(total=1, trainable=1, adapter=1, sites=1),
            weights_sha256="0" * 64,
            machine=Machine(
                device=device,
                device_name=str(os.getpid()),
                threads=int(os.environ.get("OMP_NUM_THREADS", "0")),
                precision="float32",
                torch="0",
            ),
            finished=time.time(),
            train_s=0.0,
        )
    )


def finish_all(folders: Sequence[Path], device: str) -> None:
    for path in folders:
        finish(RunFolder(path), device)


def die_of_the_second(folders: Sequence[Path], device: str) -> None:
    """A worker that the operating system kills while it trains translandseg-2."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name == "translandseg-2":
            os.write(1, b"the last words\n")
            os.kill(os.getpid(), signal.SIGKILL)
        finish(folder, device)


def wait_for_a_stop(folders: Sequence[Path], device: str) -> None:
    """Trains the first run, then goes on until it is asked to stop, and saves its state."""
    finish(RunFolder(folders[0]), device)
    stopped = threading.Event()
    before = [
        signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    ]
    folder = RunFolder(folders[1])
    (folder.path / "waiting").touch()
    deadline = time.monotonic() + PATIENCE_S
    while not stopped.is_set() and time.monotonic() < deadline:
        time.sleep(0.02)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)
    if stopped.is_set():
        folder.save_checkpoint(1, b"state")
        raise Interrupted("stopped")


class ExecutorConformance:
    """Subclass it, and give ``executor``; ``workers`` is how many work at the same time."""

    workers = 1

    def executor(self, tmp_path: Path) -> Executor:
        raise NotImplementedError

    @pytest.fixture
    def runs(self, tmp_path: Path, context: Context) -> list[PlannedRun]:
        store = Store(tmp_path / "store")
        specs = sweep_runs(Catalogue(), "table4", context, (0,))
        planned = make(Catalogue().sweep("table4"), context, specs, store).runs
        for run in planned:
            run.folder.create(SpecFile(key=run.spec.key, run=run.spec, provenance=provenance()))
        return list(planned)

    def groups(self, runs: list[PlannedRun]) -> list[Cohort]:
        return cohorts(runs, self.workers)

    def test_every_run_is_worked_on(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.executor(tmp_path).run(self.groups(runs), finish_all)
        assert [run.folder.state() for run in runs] == [State.DONE] * len(runs)

    def test_nothing_to_do_is_done_at_once(self, tmp_path: Path) -> None:
        self.executor(tmp_path).run([], finish_all)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_stops_and_the_state_is_saved(
        self, tmp_path: Path, runs: list[PlannedRun], number: signal.Signals
    ) -> None:
        groups = self.groups(runs)
        waiting = [group.folders[1] / "waiting" for group in groups[: self.workers]]

        def send() -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not all(path.exists() for path in waiting) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(os.getpid(), number)

        sender = threading.Thread(target=send)
        sender.start()
        with pytest.raises(Interrupted):
            self.executor(tmp_path).run(groups, wait_for_a_stop)
        sender.join()
        states = [run.folder.state() for run in runs]
        assert states.count(State.DONE) == self.workers
        assert states.count(State.INTERRUPTED) == self.workers
        assert states.count(State.NEW) == len(runs) - 2 * self.workers


class SurvivesDeadWorkers(ExecutorConformance):
    """For executors whose workers are processes of their own."""

    def test_a_dead_worker_costs_one_run(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.executor(tmp_path).run(self.groups(runs), die_of_the_second)
        states = {run.spec.name: run.folder.state() for run in runs}
        assert states.pop("translandseg-2") is State.FAILED
        assert set(states.values()) == {State.DONE}
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.kind == "died"
        assert "SIGKILL" in failure.message
        assert "the last words" in failure.detail
