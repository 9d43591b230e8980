"""A job on its node: what is wrong with the node is in its end file or its log, in one line."""

import errno
import os
from pathlib import Path

import pytest

from ablate.errors import ExitCode
from ablate.executors import JobState, node, versions
from ablate.executors.ends import read_end
from ablate.plan import PlannedRun
from ablate.runs import State
from executors.conformance import RunsOfTable4, states


class TestNode(RunsOfTable4):
    def words(self, tmp_path: Path, runs: list[PlannedRun], work: str = "finish_all") -> list[str]:
        return node.arguments(
            work=f"executors.works:{work}",
            device="cpu",
            logs=tmp_path / "logs",
            folders=[run.folder.path for run in runs[:2]],
        )

    @pytest.fixture(autouse=True)
    def _in_a_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_JOB_ID", "7")

    def test_it_says_how_it_has_ended(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        assert node.main(self.words(tmp_path, runs)) == ExitCode.DONE
        end = read_end(tmp_path / "logs", "7")
        assert end is not None
        assert (end.state, end.problem) == (JobState.DONE, None)
        assert states(runs[:2]) == [State.DONE] * 2

    def test_another_version_is_the_jobs_problem(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = self.words(tmp_path, runs)
        monkeypatch.setattr(versions, "here", lambda: "ablate 0.1 (engine 1) on Python 3.8")
        assert node.main(words) == ExitCode.BAD_INPUT
        end = read_end(tmp_path / "logs", "7")
        assert end is not None
        assert "has ablate 0.1 (engine 1) on Python 3.8, and the command has" in str(end.problem)
        assert states(runs) == [State.NEW] * 10

    def test_a_store_that_the_node_does_not_see_is_one_line(
        self, tmp_path: Path, runs: list[PlannedRun], capfd: pytest.CaptureFixture[str]
    ) -> None:
        words = self.words(tmp_path, runs)
        (tmp_path / "store").rename(tmp_path / "unmounted")
        assert node.main(words) == ExitCode.BAD_INPUT
        said = capfd.readouterr().err
        assert "does not see" in said
        assert said.count("\n") == 1

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_a_full_disk_is_one_line(
        self,
        tmp_path: Path,
        runs: list[PlannedRun],
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        def fail(logs: Path, *_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number), str(logs))

        words = self.words(tmp_path, runs)
        monkeypatch.setattr(node, "write_end", fail)
        assert node.main(words) == ExitCode.RUN_FAILED
        said = capfd.readouterr().err
        assert said.startswith("the disk is full: ")
        assert said.count("\n") == 1
        assert states(runs) == [State.NEW] * 10
