"""The SLURM executor on a real SLURM of two nodes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ablate.errors import BadInput
from ablate.executors import JobState, versions
from ablate.executors.slurm import Settings, SlurmExecutor
from ablate.executors.waiting import submit_and_leave, wait_for_all
from ablate.plan import PlannedRun
from ablate.runs import State, Store
from chaos.comparison import differences, outcome
from executors.conformance import (
    DetachConformance,
    RunsOfTable4,
    ended,
    pairs,
    states,
    wait_until,
)
from executors.slurm_cluster import Cluster, cluster, missing
from executors.works import PATIENCE_S, until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())}"),
]

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture(autouse=True)
def _in_use(running: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLURM_CONF", str(running.configuration))
    # The node has to find the tests' work.
    paths = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    yield
    running.cancel_all()


@pytest.mark.slow  # Every job waits for the scheduler, and starts Python twice.
class TestSlurm(DetachConformance):
    path = "ablate.executors.slurm:SlurmExecutor"
    settings: ClassVar = {"poll_s": 0.2}
    workers = 2


@contextmanager
def opened(tmp_path: Path, work: str, **settings: Any) -> Iterator[SlurmExecutor]:
    executor = make(tmp_path, work, **settings)
    try:
        yield executor
    finally:
        executor.close()


def make(tmp_path: Path, work: str, **settings: Any) -> SlurmExecutor:
    return SlurmExecutor(
        Settings(poll_s=0.2, **settings),
        work=f"executors.works:{work}",
        devices=["cpu"],
        logs=tmp_path / "logs",
    )


class TestFaults(RunsOfTable4):
    def test_a_preempted_job_saves_its_state_and_goes_on(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second") as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            urgent = ["sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 60"]
            for _ in range(2):
                running.call(*urgent)
            wait_until(executor, lambda: runs[1].folder.state() is State.INTERRUPTED)
            assert not job.state().has_ended
            (runs[1].folder.path / "release").touch()
            running.call("scancel", "--me", "--partition=high")
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.DONE
        assert states(runs[:2]) == [State.DONE] * 2

    def test_a_later_start_takes_over_what_is_in_the_queue(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        # As if its process had been killed: it is never closed.
        killed = make(tmp_path, "finish_when_released")
        left = [killed.submit(cohort) for cohort in pairs(runs)[:2]]
        wait_until(killed, lambda: any(job.state() is JobState.RUNNING for job in left))
        with opened(tmp_path, "finish_when_released") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)[:2]]
            queue = running.call("squeue", "--noheader", "--states=all", "--format=%k")
            submitted = [line for line in queue.splitlines() if str(tmp_path) in line]
            assert len(submitted) == 2
            (runs[0].folder.path.parent / "release").touch()
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.DONE] * 2
        attempts = [(run.folder.path / "attempts").read_text() for run in runs[:4]]
        assert [text.count("\n") for text in attempts] == [1] * 4

    @pytest.mark.slow
    def test_a_job_that_was_cancelled_by_hand_is_cancelled(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second") as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            running.call("scancel", "--me")
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.CANCELLED

    @pytest.mark.slow
    def test_a_job_near_its_limit_saves_its_state_and_goes_back_into_the_queue(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with opened(tmp_path, "wait_at_the_second", time_min=1, warning_s=40) as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, lambda: runs[1].folder.state() is State.INTERRUPTED)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.DONE
        assert states(runs[:2]) == [State.DONE] * 2

    def test_a_partition_that_is_not_there_is_one_line(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with (
            opened(tmp_path, "finish_all", partition="nonsense") as executor,
            pytest.raises(BadInput, match=r"SLURM refuses the job: .*Invalid partition") as caught,
        ):
            executor.submit(pairs(runs)[0])
        assert "\n" not in str(caught.value)
        assert running.call("squeue", "--noheader") == ""

    def test_what_was_submitted_before_a_refusal_is_cancelled(
        self,
        tmp_path: Path,
        runs: list[PlannedRun],
        running: Cluster,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        earlier = make(tmp_path, "wait_at_the_second")
        earlier.submit(pairs(runs)[0])
        wait_until(earlier, (runs[1].folder.path / "waiting").exists)
        refuse_from_the_third_on(tmp_path, monkeypatch)
        with (
            opened(tmp_path, "finish_when_released") as executor,
            pytest.raises(BadInput, match=r"refuses the job: .*job submit limit") as caught,
        ):
            submit_and_leave(executor, pairs(runs))
        assert "\n" not in str(caught.value)
        # What an earlier start has in the queue is not this start's to cancel.
        queue = running.call("squeue", "--noheader", "--format=%k").splitlines()
        assert [runs[1].folder.key in line for line in queue] == [True]

    def test_a_job_that_never_starts_is_one_line_and_leaves_none_behind(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with (
            opened(tmp_path, "finish_all", time_min=90) as executor,
            pytest.raises(BadInput, match="would never start: PartitionTimeLimit; lower time_min"),
        ):
            submit_and_leave(executor, pairs(runs)[:2])
        assert running.call("squeue", "--noheader") == ""

    def test_a_job_that_is_held_says_so(self, tmp_path: Path, runs: list[PlannedRun]) -> None:
        with opened(tmp_path, "finish_all", options={"hold": True}) as executor:
            executor.submit(pairs(runs)[0])
            wait_until(executor, lambda: executor.notice() is not None)
            notice = executor.notice()
        assert notice is not None
        assert re.fullmatch(
            r"1 job pending: JobHeldUser \(release it: `scontrol release \d+`\)", notice
        )

    @pytest.mark.parametrize(
        ("python", "reason"),
        [
            (None, "node .* has ablate .* and the command has ablate 99.0"),
            ("env -u PYTHONPATH /usr/bin/python3", "No module named 'ablate'|No module named abl"),
            ("/no/such/python", "No such file or directory"),
        ],
    )
    def test_a_node_without_this_ablate_is_no_failure_of_a_run(
        self,
        tmp_path: Path,
        runs: list[PlannedRun],
        running: Cluster,
        monkeypatch: pytest.MonkeyPatch,
        python: str | None,
        reason: str,
    ) -> None:
        if python is None:
            monkeypatch.setattr(versions, "here", lambda: "ablate 99.0 on Python 2.7")
        with (
            pytest.raises(BadInput, match="could not begin to work: ") as caught,
            opened(tmp_path, "finish_all", python=python) as executor,
        ):
            wait_for_all(executor, pairs(runs))
        assert re.search(reason, str(caught.value))
        assert "\n" not in str(caught.value)
        assert states(runs) == [State.NEW] * 10
        until(lambda: running.call("squeue", "--noheader") == "")

    @pytest.mark.slow
    def test_a_controller_that_is_gone_is_waited_for(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second") as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)[:2]]
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            running.end_controller()
            try:
                wait_until(executor, lambda: executor.notice() is not None)
                notice = executor.notice()
                with pytest.raises(BadInput, match="SLURM does not answer"):
                    make(tmp_path, "finish_all")
                (runs[1].folder.path / "release").touch()
            finally:
                running.start_controller()
            assert notice is not None
            assert re.fullmatch(r"SLURM does not answer since [\d:]{8}; waiting", notice)
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.DONE] * 2
            assert executor.notice() is None

    @pytest.mark.slow
    def test_what_cannot_be_stopped_is_given_up(
        self,
        tmp_path: Path,
        runs: list[PlannedRun],
        running: Cluster,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("ablate.executors.slurm._SILENCE_S", 1.0)
        executor = make(tmp_path, "wait_at_the_second")
        job = executor.submit(pairs(runs)[0])
        wait_until(executor, (runs[1].folder.path / "waiting").exists)
        running.end_controller()
        try:
            executor.close()
        finally:
            running.start_controller()
        assert job.state() is JobState.CANCELLED

    @pytest.mark.slow
    def test_the_work_of_a_killed_node_goes_on_elsewhere(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second") as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            node = running.call("squeue", "--noheader", "--format=%N").strip()
            try:
                running.kill_node(node)
                wait_until(executor, lambda: runs[1].folder.state() is State.NEW)
                assert not job.state().has_ended
                (runs[1].folder.path / "release").touch()
                wait_until(executor, lambda: job.state().has_ended)
            finally:
                running.revive_node(node)
            assert job.state() is JobState.DONE
        assert states(runs[:2]) == [State.DONE] * 2

    def test_a_machine_without_slurm_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(tmp_path))
            with pytest.raises(BadInput, match="SLURM does not answer"):
                make(tmp_path, "finish_all")


def refuse_from_the_third_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts an ``sbatch`` on the path that takes two jobs, and refuses others as limits do."""
    real, counted = shutil.which("sbatch"), tmp_path / "submitted"
    script = tmp_path / "bin" / "sbatch"
    script.parent.mkdir()
    script.write_text(
        f"#!/bin/sh\necho >> {counted}\n"
        f'[ "$(wc -l < {counted})" -le 2 ] && exec {real} "$@"\n'
        "echo 'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job "
        "submit limit)' >&2\nexit 1\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
def test_a_sweep_that_was_left_preempted_and_lost_a_node_ends_as_one_on_this_machine(
    tmp_path: Path, running: Cluster
) -> None:
    sweep = ["--grid", "table4", "--protocol", "demo", "--no-track", "--seeds", "0,1"]
    sweep += ["--set", "data.count=60", "--set", "epochs=8"]
    sweep += ["--variant", "translandseg", "--variant", "translandseg-8"]
    (tmp_path / "ablate.toml").write_text("[executor.slurm]\npoll_s = 0.5\n")
    ablate = [sys.executable, "-m", "ablate"]
    words = [*ablate, "run", *sweep, "--executor", "slurm", "--store", "slurm"]
    left = subprocess.run([*words, "--detach"], cwd=tmp_path, check=True, capture_output=True)
    assert b"the jobs are left to slurm" in left.stdout
    store = Store(tmp_path / "slurm")
    shown = subprocess.run(
        [*ablate, "status", "--store", "slurm"], cwd=tmp_path, check=True, capture_output=True
    )
    assert b"jobs of slurm, submitted" in shown.stdout
    with subprocess.Popen(words, cwd=tmp_path) as process:
        until(lambda: any(folder.events() for folder in store.runs()))
        node = running.call("squeue", "--noheader", "--states=R", "--format=%N").split()[0]
        running.kill_node(node)
        until(lambda: sum(len(folder.events()) for folder in store.runs()) > 2)
        running.revive_node(node)
        running.call("sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 5")
        running.call("sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 5")
        assert process.wait(PATIENCE_S * 8) == 0
    attempts = [attempt.ending for folder in store.runs() for attempt in folder.attempts()]
    assert "interrupted" in attempts or "killed" in attempts
    subprocess.run(
        [*ablate, "run", *sweep, "--executor", "local", "--store", "local"],
        cwd=tmp_path,
        check=True,
    )
    # Weights, pixel counts, panels, results and the report in every format.
    assert differences(tmp_path / "slurm", outcome(tmp_path / "local")) == []


@pytest.mark.parametrize(
    ("settings", "device"),
    [
        ({}, "cpu"),
        ({"gres": "gpu:1"}, "cuda:0"),
        ({"options": {"gpus-per-node": 1}}, "cuda:0"),
        ({"gres": "gpu:1", "device": "cpu"}, "cpu"),
    ],
)
def test_jobs_with_a_gpu_compute_on_it(settings: dict[str, Any], device: str) -> None:
    devices = SlurmExecutor.devices(Settings(jobs=2, **settings), (), _no_choice)
    assert devices == (device, device)


def test_named_devices_are_the_nodes() -> None:
    assert SlurmExecutor.devices(Settings(), ("cuda:1",), _no_choice) == ("cuda:1",)


def _no_choice(_: Sequence[str]) -> Sequence[str]:
    raise AssertionError("the devices of this machine say nothing")
