"""The Ray executor on a real cluster of two nodes, and on one of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.executors import JobState, ray_connection
from ablate.plan import Cohort, PlannedRun
from ablate.runs import State, Store
from executors.conformance import (
    DetachConformance,
    RunsOfTable4,
    ended,
    pairs,
    states,
    wait_until,
)
from executors.ray_cluster import Cluster, cluster, descendants, has_ray, kill
from executors.ray_executors import bridges, command_line, lives, make, opened, own_folders
from executors.works import PATIENCE_S, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not has_ray, reason="needs the extra `ray`"),
]

# Makes a cluster say that it has another version.
OTHER_VERSION = """
import json, sys
import ray
from ray.experimental import internal_kv as kv
ray.init(sys.argv[1], configure_logging=False, log_to_driver=False)
said = json.loads(kv._internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster"))
said |= {"ray_version": "2.0.1", "python_version": "3.7.2"}
kv._internal_kv_put(b"CLUSTER_METADATA", json.dumps(said).encode(), namespace=b"cluster")
"""

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def _works_are_found() -> Iterator[None]:
    """Nodes have to find the tests' work."""
    paths = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with started() as found:
        yield found


@contextmanager
def started() -> Iterator[Cluster]:
    """A cluster of two nodes that this process may use."""
    with cluster() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found
        ray_connection.disconnect(found.address)


@pytest.mark.slow  # Every job starts Python twice.
class TestRay(DetachConformance):
    path = "ablate.executors.ray:RayExecutor"
    workers = 2

    @pytest.fixture(autouse=True)
    def _in_use(self, running: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TestRay, "settings", {"address": running.address, "poll_s": 0.2})


@pytest.mark.slow  # Starts a cluster for every test.
class TestOwnCluster(RunsOfTable4):
    def test_every_run_is_worked_on_and_nothing_is_left(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Somebody's cluster, which is not to be used.
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        before = descendants(os.getpid())
        with opened(tmp_path, "finish_all", None) as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)]
            wait_until(executor, lambda: ended(jobs))
            processes = set(descendants(os.getpid())) - set(before)
            assert processes
            assert own_folders()
        assert [job.state() for job in jobs] == [JobState.DONE] * 5
        assert states(runs) == [State.DONE] * 10
        assert not own_folders()
        until(lambda: not any(map(lives, processes)))

    def test_what_was_killed_leaves_nothing_for_long(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        before = descendants(os.getpid())
        executor = make(tmp_path, "wait_at_the_second", None)
        executor.submit(pairs(runs)[0])
        wait_until(executor, (runs[1].folder.path / "waiting").exists)
        processes = set(descendants(os.getpid())) - set(before)
        assert processes
        kill(*processes.intersection(bridges()))
        until(lambda: runs[1].folder.state() is State.INTERRUPTED)
        with pytest.raises(BadInput, match="the Ray cluster of this machine is lost"):
            executor.look()
        with pytest.raises(BadInput, match="the Ray cluster of this machine is lost"):
            executor.close()
        assert not own_folders()
        until(lambda: not any(map(lives, processes)))


class TestFaults(RunsOfTable4):
    def test_an_actor_that_is_killed_saves_its_state_and_is_started_again(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second", running) as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            kill(*running.actors())
            until(lambda: runs[1].folder.state() is State.INTERRUPTED)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.DONE
        assert states(runs[:2]) == [State.DONE] * 2
        assert not list((tmp_path / "logs").glob("*.json"))

    def test_a_later_start_takes_over_what_is_in_the_cluster(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        # As if its process had been killed: it is never closed.
        killed = make(tmp_path, "wait_at_the_second", running)
        killed.submit(pairs(runs)[0])
        wait_until(killed, (runs[1].folder.path / "waiting").exists)
        bridge = next(pid for pid in descendants(os.getpid()) if b"ray_bridge" in command_line(pid))
        kill(bridge)
        with opened(tmp_path, "wait_at_the_second", running) as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, lambda: job.state() is JobState.RUNNING)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.DONE
        attempts = [(run.folder.path / "attempts").read_text() for run in runs[:2]]
        assert [text.count("\n") for text in attempts] == [1] * 2

    @pytest.mark.slow
    def test_a_connection_that_is_lost_is_made_again(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second", running) as executor:
            job = executor.submit(pairs(runs)[0])
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            ray_connection.disconnect(running.address)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.DONE

    @pytest.mark.slow
    def test_a_cluster_of_another_version_is_one_line(self, tmp_path: Path) -> None:
        with started() as own:
            subprocess.run([sys.executable, "-c", OTHER_VERSION, own.address], check=True)
            with pytest.raises(BadInput) as caught:
                make(tmp_path, "finish_all", own)
        assert re.fullmatch(
            rf"the Ray cluster at {own.address} has Ray 2.0.1 and Python 3.7.2, here are "
            r"Ray [0-9.]+ and Python [0-9.]+; use the same versions in both places",
            str(caught.value),
        )

    @pytest.mark.slow
    def test_a_process_that_dies_costs_one_run(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "wait_at_the_second", running) as executor:
            job = executor.submit(Cohort(tuple(run.folder.path for run in runs[:4])))
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            nodes = [pid for actor in running.actors() for pid in descendants(actor)]
            kill(*nodes)
            wait_until(executor, lambda: job.state().has_ended)
            assert job.state() is JobState.FAILED
        assert states(runs[:4]) == [State.DONE, State.FAILED, State.DONE, State.DONE]
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.message == "the process of an actor of Ray ended with exit code -9"

    @pytest.mark.slow
    def test_the_work_of_a_node_that_is_killed_is_done_on_another(
        self, tmp_path: Path, runs: list[PlannedRun]
    ) -> None:
        with started() as own, opened(tmp_path, "wait_at_the_second", own) as executor:
            jobs = [executor.submit(cohort) for cohort in pairs(runs)[:3]]
            wait_until(executor, (runs[1].folder.path / "waiting").exists)
            # The connection is to the first node; it may be the one.
            own.kill_node(1 if own.actors(1) else 0)
            (runs[1].folder.path / "release").touch()
            wait_until(executor, lambda: ended(jobs))
            assert [job.state() for job in jobs] == [JobState.DONE] * 3
        assert states(runs[:6]) == [State.DONE] * 6

    def test_a_job_that_no_node_has_room_for_is_one_line(
        self, tmp_path: Path, running: Cluster
    ) -> None:
        with pytest.raises(BadInput) as caught:
            make(tmp_path, "finish_all", running, cpus=3, resources={"shovel": 2})
        assert str(caught.value).startswith(
            "no node of the Ray cluster has 3 CPU, 2 shovel, which a job asks for; ask for less"
        )

    def test_a_node_that_does_not_see_the_logs_is_one_line(
        self, tmp_path: Path, runs: list[PlannedRun], running: Cluster
    ) -> None:
        with opened(tmp_path, "finish_all", running) as executor:
            log = executor.log_path("x").parent
            log.mkdir(parents=True)
            executor.submit(pairs(runs)[0])
            log.rmdir()
            with pytest.raises(BadInput, match="cannot start a job: FileNotFoundError") as caught:
                wait_until(executor, lambda: False)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_sweep_under_fire_ends_as_one_on_this_machine(tmp_path: Path) -> None:
    sweep = ["--grid", "table4", "--protocol", "demo", "--no-track", "--seeds", "0,1"]
    sweep += ["--set", "data.count=60", "--set", "epochs=12"]
    sweep += ["--variant", "translandseg", "--variant", "translandseg-8"]
    ablate = [sys.executable, "-m", "ablate"]
    (tmp_path / "ablate.toml").write_text("[executor.ray]\npoll_s = 0.5\n")
    with started() as own:
        words = [*ablate, "run", *sweep, "--store", "ray", "--executor", "ray"]
        words += ["--ray-address", own.address]
        store = Store(tmp_path / "ray")
        with subprocess.Popen(words, cwd=tmp_path) as killed:
            until_at_last(lambda: any(folder.events() for folder in store.runs()))
            killed.kill()
        # Its jobs go on, and the same command takes them over.
        with subprocess.Popen(words, cwd=tmp_path) as process:
            before = events(store)
            until_at_last(lambda: events(store) > before)
            kill(own.actors(0)[0])
            until_at_last(lambda: bool(own.actors(1)))
            before = events(store)
            until_at_last(lambda: events(store) > before)
            own.kill_node(1)
            assert process.wait(PATIENCE_S * 5) == 0
    attempts = [attempt.ending for folder in store.runs() for attempt in folder.attempts()]
    assert len(attempts) > 4
    subprocess.run(
        [*ablate, "run", *sweep, "--executor", "local", "--store", "local"],
        cwd=tmp_path,
        check=True,
    )
    weights = [
        {path.parent.name: path.read_bytes() for path in (tmp_path / name).glob("runs/*/*.safe*")}
        for name in ("ray", "local")
    ]
    assert len(weights[0]) == 4
    assert weights[0] == weights[1]


def until_at_last(condition: Callable[[], bool]) -> None:
    """Waits until something is so that takes several starts of Python."""
    deadline = time.monotonic() + 5 * PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def events(store: Store) -> int:
    """How many epochs were trained in a store."""
    return sum(len(folder.events()) for folder in store.runs())
