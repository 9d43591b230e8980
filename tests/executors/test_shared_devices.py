"""Several cohorts on one accelerator, whose memory the work makes up."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ablate.errors import BadInput, Interrupted
from ablate.executors import executor_settings, run_cohorts
from ablate.plan import PlannedRun
from ablate.runs import State
from executors.conformance import RunsOfTable4, pairs, states
from executors.servers import light_server
from executors.works import count, until


@pytest.fixture(autouse=True, scope="module")
def _light_server() -> Iterator[None]:
    with light_server():
        yield


class TestSharedDevices(RunsOfTable4):
    settings: ClassVar[dict[str, Any]] = {"cohorts_per_device": "auto"}

    def run(self, tmp_path: Path, runs: list[PlannedRun], work: str, **settings: Any) -> None:
        run_cohorts(
            "local",
            pairs(runs),
            devices=["cuda:0"],
            logs=tmp_path / "logs",
            settings=settings or self.settings,
            work=f"executors.works:{work}",
        )

    def test_as_many_are_on_it_as_its_memory_allows(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, runs, "share_memory")
        assert states(runs) == [State.DONE] * 10
        folders = [run.folder.path for run in runs]
        # Three were there at once, and none has begun before the one before it had reported.
        assert (folders[0].parent / "three").exists()
        assert not any((folder / "too-early").exists() for folder in folders)

    def test_one_that_runs_short_beside_others_is_tried_again_alone(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, runs, "tell_whether_it_is_alone")
        assert states(runs) == [State.DONE] * 10
        alone = [path for run in runs if (path := run.folder.path / "alone").exists()]
        assert [path.parent for path in alone] == [runs[0].folder.path]
        assert alone[0].read_text() == "1"
        attempts = [(run.folder.path / "attempts").read_text() for run in runs]
        assert [text.count("\n") for text in attempts] == [1] * 10

    def test_the_death_of_one_of_two_workers_is_not_that_of_the_other(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        self.run(tmp_path, runs, "die_beside_others")
        assert states(runs) == [State.DONE, State.FAILED] + [State.DONE] * 8
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.message.startswith("the worker on cuda:0 was ended by SIGKILL")

    def test_a_signal_to_the_driver_stops_all_of_a_device(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        present = runs[0].folder.path.parent / "present"

        def send() -> None:
            until(lambda: present.exists() and count(present) == 2)
            os.kill(os.getpid(), signal.SIGTERM)

        sender = threading.Thread(target=send)
        sender.start()
        with pytest.raises(Interrupted):
            self.run(tmp_path, runs, "wait_beside_others", cohorts_per_device=2)
        sender.join()
        assert count(present) == 0
        # The first run of each of two cohorts.
        stopped = [State.INTERRUPTED, State.NEW] * 2
        assert states(runs) == stopped + [State.NEW] * 6


def test_a_device_has_at_least_one_cohort() -> None:
    rule = r"\[executor.local\] cohorts_per_device"
    for value in (0, "many", 1.5):
        with pytest.raises(BadInput, match=rule):
            executor_settings("local", {"cohorts_per_device": value})
