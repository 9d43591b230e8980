"""Workers that Linux ends because the machine's memory is short."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.executors import memory_kills, run_cohorts
from ablate.executors.memory_kills import MemoryKills
from ablate.plan import PlannedRun
from ablate.runs import State
from executors.conformance import RunsOfTable4, pairs, states
from executors.servers import light_server


@pytest.fixture(autouse=True, scope="module")
def _light_server() -> Iterator[None]:
    with light_server():
        yield


class TestWorkers(RunsOfTable4):
    """The first of five cohorts is ended beside the second; ``beside`` is what later ones met."""

    def run(
        self,
        tmp_path: Path,
        runs: list[PlannedRun],
        monkeypatch: pytest.MonkeyPatch,
        work: str,
    ) -> list[int]:
        """How many cohorts each cohort that was not ended met, itself too, in the plan's order."""
        counter = runs[0].folder.path.parent / "oom"
        counter.write_text("low 3\noom_kill 7\n")
        monkeypatch.setattr(memory_kills, "counter_files", lambda: iter([counter]))
        run_cohorts(
            "local",
            pairs(runs),
            devices=["cpu", "cpu"],
            logs=tmp_path / "logs",
            work=f"executors.works:{work}",
        )
        noted = [run.folder.path / "beside" for run in runs[::2]]
        return [int(path.read_text()) for path in noted if path.exists()]

    def test_one_that_was_ended_beside_others_is_tried_alone_and_fewer_are_there_from_then_on(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        met = self.run(tmp_path, runs, monkeypatch, "need_two_shares_of_memory")
        assert states(runs) == [State.DONE] * 10
        assert len(met) == 5
        assert (met[0], *met[2:]) == (1, 1, 1, 1)

    def test_one_that_is_ended_alone_is_blamed_and_the_others_go_on_together(
        self, tmp_path: Path, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        met = self.run(tmp_path, runs, monkeypatch, "need_more_memory_than_there_is")
        assert states(runs) == [State.DONE, State.FAILED] + [State.DONE] * 8
        failure = runs[1].folder.failure()
        assert failure is not None
        assert failure.message == (
            "the worker on cpu was ended by SIGKILL, since the machine's memory was short (no "
            "other cohort was beside it)"
        )
        assert max(met) == 2


# The counter ----------------------------------------------------------------------------------


def test_every_process_is_accounted_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "memory.events"
    monkeypatch.setattr(memory_kills, "counter_files", lambda: iter([tmp_path / "no", counter]))
    counter.write_text("oom 1\noom_kill 2\noom_group_kill 9\n")
    kills = MemoryKills()
    assert not kills.account_for_one()
    counter.write_text("oom 3\noom_kill 4\noom_group_kill 9\n")
    assert [kills.account_for_one() for _ in range(3)] == [True, True, False]
    # A control group that was removed counts nothing.
    counter.unlink()
    assert not kills.account_for_one()


def test_the_counter_is_that_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, mounts = tmp_path / "cgroup", tmp_path / "mounts"
    monkeypatch.setattr(memory_kills, "_OWN_GROUPS", groups)
    monkeypatch.setattr(memory_kills, "_MOUNTS", mounts)
    machine = memory_kills._MACHINE
    assert list(memory_kills.counter_files()) == [machine]
    groups.write_text("0::/user.slice/a\n")
    mounts.write_text("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nproc /proc proc rw 0 0\n")
    folder = Path("/sys/fs/cgroup")
    events = [folder / "user.slice/a/memory.events", folder / "memory.events", machine]
    assert list(memory_kills.counter_files()) == events
    groups.write_text("4:memory:/job\n1:cpu:/\n0::/\n")
    mounts.write_text("cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n")
    folder = Path("/sys/fs/cgroup/memory")
    controls = [folder / "job/memory.oom_control", folder / "memory.oom_control", machine]
    assert list(memory_kills.counter_files()) == controls


LIMIT_BYTES = 120_000_000
# Counts, starts a process that takes more memory than the group may have, and counts again.
IN_THE_GROUP = """
import os, subprocess, sys
from pathlib import Path
for group in sys.argv[1:]:
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
from ablate.executors.memory_kills import MemoryKills
kills = MemoryKills()
taken = "x = bytearray(10**9)\\nfor i in range(0, 10**9, 4096): x[i] = 1"
ended = subprocess.run([sys.executable, "-c", taken])
print(ended.returncode, kills.account_for_one(), kills.account_for_one())
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with little memory."""
    parents = {
        Path("/sys/fs/cgroup/memory"): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        Path("/sys/fs/cgroup"): ("memory.max", "memory.swap.max"),
    }
    for parent, (limit, swap) in parents.items():
        made = parent / f"ablate-test-{os.getpid()}"
        if not (parent / "cgroup.procs").exists():
            continue
        try:
            made.mkdir()
        except OSError:
            continue
        try:
            (made / limit).write_text(str(LIMIT_BYTES))
            if (made / swap).exists():
                (made / swap).write_text("0" if swap == "memory.swap.max" else str(LIMIT_BYTES))
            yield made
        except OSError as error:
            pytest.skip(f"no limit of memory can be set here: {error}")
        finally:
            _remove(made)
        return
    pytest.skip("no control group of memory can be made here")


def _remove(group: Path) -> None:
    for _ in range(100):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return


def test_linux_counts_the_processes_that_it_ends(group: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_GROUP, str(group)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["-9", "True", "False"], done.stderr
