"""The inline executor keeps the promises, in this process."""

import os
from pathlib import Path

import pytest

from ablate.plan import PlannedRun
from ablate.runs import State
from executors.conformance import StoppingConformance, pairs, states


class TestInline(StoppingConformance):
    path = "ablate.executors.inline:InlineExecutor"

    def test_it_is_this_process(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        self.run(tmp_path, pairs(runs), "finish_all")
        results = [run.folder.result() for run in runs]
        assert {result.machine.device_name for result in results if result} == {str(os.getpid())}

    def test_a_stop_of_this_process_means_all_jobs(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with self.opened(tmp_path, "stop_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            executor.wait(0)
            assert {job.state().value for job in jobs} == {"cancelled"}
        assert states(runs) == [State.DONE, State.INTERRUPTED] + [State.NEW] * 8

    def test_what_is_no_exception_of_the_work_is_not_kept_from_the_caller(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("executors.works.finish_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            self.run(tmp_path, pairs(runs), "finish_all")
