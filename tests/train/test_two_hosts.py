"""A worker that is silent for long loses its run to another host, and can change nothing then."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.runs import State, heartbeat, hosts
from ablate.train import work
from runs.two_hosts import BEAT_S, SILENCE_S, Elsewhere, computed, files
from train.run_helpers import PlanRun

_WORK = """
import builtins, os, signal, time
from ablate.runs import RunFolder, atomic, staging
from ablate.train import work

# Stops itself where it is told to, as a machine does that sleeps.
moment, path = sys.argv[3], Path(sys.argv[2])
real = {name: getattr(staging.Writer, name) for name in ("replace", "publish", "remove")}

def stopping(name):
    def call(self, target, *words, **more):
        if moment == f"{name} {target.name}" or moment == f"{name} {target.suffix}":
            stop()
        return real[name](self, target, *words, **more)
    return call

def stop():
    global moment
    moment = ""
    os.kill(os.getpid(), signal.SIGSTOP)

for name in real:
    setattr(staging.Writer, name, stopping(name))

# In the middle of a file: all of it is written, and it is about to get its name.
force = atomic._force_to_disk
written = 0

def force_to_disk(file):
    global written
    force(file)
    written += 1
    if moment == f"written {written}":
        stop()

atomic._force_to_disk = force_to_disk
work([path], "cpu")
"""

# With a checkpoint that is written and has no name yet, and as the run ends; what else a worker
# writes is in `tests/runs/test_claims.py`.
MOMENTS = ["written 3", "publish result.json"]


@pytest.fixture
def elsewhere() -> Iterator[list[Elsewhere]]:
    started: list[Elsewhere] = []
    yield started
    for each in started:
        each.kill()


@pytest.fixture(autouse=True)
def this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "this_host", lambda: "here")
    monkeypatch.setattr(heartbeat, "BEAT_S", BEAT_S)
    monkeypatch.setattr(heartbeat, "SILENCE_S", SILENCE_S)
    monkeypatch.setattr("ablate.train.worker._LOOK_EVERY_S", 0.05)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_that_comes_back_changes_nothing(
    plan_run: PlanRun, elsewhere: list[Elsewhere], moment: str
) -> None:
    undisturbed = plan_run("translandseg-1", "epochs=3", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("translandseg-1", "epochs=3")
    stale = Elsewhere("there", _WORK, folder.path, moment)
    elsewhere.append(stale)
    stopped(stale)
    assert folder.state() is State.RUNNING
    work([folder.path], "cpu")
    assert folder.state() is State.DONE
    assert computed(folder.path) == computed(undisturbed.path)
    before = files(folder.path)
    stale.send(signal.SIGCONT)
    _, said = stale.ends()
    assert f"another process has taken over run {folder.key}" in said
    assert stale.process.returncode == 0
    assert files(folder.path) == before


def test_a_worker_that_comes_back_while_the_other_trains_changes_nothing(
    plan_run: PlanRun, elsewhere: list[Elsewhere]
) -> None:
    undisturbed = plan_run("translandseg-1", "epochs=3", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("translandseg-1", "epochs=3")
    stale = Elsewhere("there", _WORK, folder.path, "replace .pt")
    elsewhere.append(stale)
    stopped(stale)
    # The other stops as it is about to publish.
    other = Elsewhere("yonder", _WORK, folder.path, "publish result.json")
    elsewhere.append(other)
    stopped(other)
    before = files(folder.path)
    stale.send(signal.SIGCONT)
    _, said = stale.ends()
    assert "another process has taken over" in said
    assert files(folder.path) == before
    other.send(signal.SIGCONT)
    other.ends()
    assert computed(folder.path) == computed(undisturbed.path)
    assert names(folder.path) == names(undisturbed.path)


def stopped(process: Elsewhere) -> None:
    """Waits until a process has stopped itself."""
    deadline = time.monotonic() + 60
    status = Path(f"/proc/{process.process.pid}/stat")
    while status.read_text().rpartition(")")[2].split()[0] != "T":
        assert process.process.poll() is None, process.ends()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def names(folder: Path) -> set[str]:
    """What is in a run's folder, but for the attempts, which are named by their time."""
    return {name for name in files(folder) if not name.startswith("attempts/")}
