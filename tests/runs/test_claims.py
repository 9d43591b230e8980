"""Who works on a run, where several hosts share a file system and trust no lock of each other."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablate.errors import StoreError, TakenOver
from ablate.runs import (
    Failure,
    Progress,
    RunFolder,
    SpecFile,
    State,
    claims,
    drivers,
    heartbeat,
    hosts,
    plain_files,
)
from ablate.runs.attempts import Attempt
from ablate.runs.claims import Claim
from ablate.spec import RunSpec
from runs.test_folder import PROVENANCE, event, result
from runs.two_hosts import Elsewhere, files

SILENCE_S = 0.3


class Hosts:
    """Lets this process believe to be on a host of any name, with short times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = "here"
        monkeypatch.setattr(hosts, "this_host", lambda: self.name)
        monkeypatch.setattr(heartbeat, "BEAT_S", 0.05)
        monkeypatch.setattr(heartbeat, "SILENCE_S", SILENCE_S)
        # The thread of this process sleeps for the usual time.
        monkeypatch.setattr(heartbeat, "_beats", heartbeat._Beats())

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        before, self.name = self.name, name
        try:
            yield
        finally:
            self.name = before


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


@pytest.fixture
def spec(run_spec: RunSpec) -> SpecFile:
    return SpecFile(key=run_spec.key, run=run_spec, provenance=PROVENANCE)


@pytest.fixture
def folder(tmp_path: Path, spec: SpecFile) -> RunFolder:
    found = RunFolder(tmp_path / spec.key)
    found.create(spec)
    return found


def take_over(folder: RunFolder, stack: ExitStack) -> None:
    """Claims a run as soon as its holder counts as dead."""
    deadline = time.monotonic() + 20
    while not stack.enter_context(folder.claim()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stale(host: Hosts, folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFolder]:
    """A run's folder in the hands of a process that was taken for dead, and goes on."""
    with ExitStack() as stack:
        # As if stopped.
        monkeypatch.setattr(heartbeat._beats, "add", lambda path: None)
        before = RunFolder(folder.path)
        with host.on("there"):
            assert stack.enter_context(before.claim())
            before.append_event(event(1))
            before.save_checkpoint(1, b"state")
            before.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
        take_over(folder, stack)
        yield before


ATTEMPT = Attempt(started=2.0e9, seen=2.0e9, device="cpu", device_name="x", shared_by=1)
PROGRESS = Progress(epoch=1, epochs=2, step_in_epoch=0, steps_per_epoch=3, loss=None, time=0.0)
WRITES: dict[str, Callable[[RunFolder], object]] = {
    "event": lambda run: run.append_event(event(2)),
    "events are cut": lambda run: run.cut_events(0),
    "progress": lambda run: run.write_progress(PROGRESS),
    "checkpoint": lambda run: run.save_checkpoint(2, b"later"),
    "checkpoints go": lambda run: run.start_over(),
    "failure goes": lambda run: run.clear_failure(),
    "weights": lambda run: run.write_file(run.weights_path, b"weights"),
    "panel": lambda run: run.write_file(run.panels_path / "a.png", b"panel"),
    "confusions": lambda run: run.write_confusions(["a"], [[1, 2, 3, 4]]),
    "test confusions": lambda run: run.write_test_confusions(["a"], [[1, 2, 3, 4]]),
    "attempt": lambda run: run.begin_attempt(ATTEMPT),
    "attempt's end": lambda run: run.update_attempt(ATTEMPT, is_over=True),
    "result": lambda run: run.publish_result(result(run)),
}


@pytest.mark.parametrize("name", WRITES)
def test_who_was_taken_for_dead_changes_nothing(
    stale: RunFolder, folder: RunFolder, name: str
) -> None:
    before = files(folder.path)
    with pytest.raises(TakenOver, match=f"another process has taken over run {folder.key}"):
        WRITES[name](stale)
    assert files(folder.path) == before


def test_who_was_taken_for_dead_writes_no_failure(stale: RunFolder, folder: RunFolder) -> None:
    before = files(folder.path)
    stale.write_failure(Failure(kind="error", message="of the stale", detail="", time=0.0))
    assert files(folder.path) == before


def test_a_claim_that_was_taken_over_is_not_released_by_its_former_holder(
    host: Hosts, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat._beats, "add", lambda path: None)
    with ExitStack() as taken:
        with host.on("there"), RunFolder(folder.path).claim() as claimed:
            assert claimed
            host.name = "here"
            take_over(folder, taken)
            before = files(folder.path)
        assert files(folder.path) == before
        assert RunFolder(folder.path).is_claimed()


def test_a_folder_that_is_replaced_counts_as_claimed(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge holds the claim of the old one; between its two renames there is none."""
    away, prepare = folder.path.with_name("away"), claims._prepare

    def too_late(stage: Path) -> object:
        folder.path.rename(away)
        return prepare(stage)

    monkeypatch.setattr(claims, "_prepare", too_late)
    monkeypatch.setattr(
        claims, "time", SimpleNamespace(sleep=lambda pause_s: away.rename(folder.path))
    )
    with folder.claim() as is_mine:
        assert not is_mine


def test_a_living_holder_on_another_host_keeps_its_claim(host: Hosts, folder: RunFolder) -> None:
    with host.on("there"), RunFolder(folder.path).claim() as claimed:
        assert claimed
        host.name = "here"
        assert folder.is_claim_undecided()
        deadline = time.monotonic() + 3 * SILENCE_S
        while time.monotonic() < deadline:
            with folder.claim() as mine:
                assert not mine
            assert folder.state() is State.RUNNING
            time.sleep(0.02)
        # It was seen to live.
        assert not folder.is_claim_undecided()
    assert not folder.is_claimed()


@pytest.mark.parametrize("hours", [-5, 5])
def test_clocks_that_jump_change_nothing(
    host: Hosts, folder: RunFolder, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    now, jump_s = time.time, hours * 3600
    with host.on("there"), RunFolder(folder.path).claim():
        host.name = "here"
        assert folder.is_claimed()
        monkeypatch.setattr(time, "time", lambda: now() + jump_s)
        for path in folder.path.rglob("*"):
            os.utime(path, (now() + jump_s, now() + jump_s))
        assert folder.is_claimed()
        # Nor does it if who looks has slept: the monotonic clock goes on, or stands, in that time.
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + jump_s)
        assert folder.is_claimed()


def test_a_run_without_a_sign_of_life_is_undecided_and_then_left(
    host: Hosts, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat._beats, "add", lambda path: None)
    with host.on("there"), RunFolder(folder.path).claim():
        host.name = "here"
        assert folder.is_claim_undecided()
        assert not folder.is_left()
        deadline = time.monotonic() + 20
        while folder.is_claimed():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not folder.is_claim_undecided()
        assert folder.is_left()
        assert folder.is_left(Failure(kind="died", message="m", detail="", time=0.0))
        assert folder.state() is State.FAILED
        assert not folder.is_left()


def test_a_holder_that_cannot_be_read_is_of_another_host(host: Hosts, folder: RunFolder) -> None:
    stage = folder.path / "claim" / "0123"
    stage.mkdir(parents=True)
    (stage / "holder.json").touch()
    with folder.claim() as claimed:
        assert not claimed
    with ExitStack() as stack:
        take_over(folder, stack)


_TAKE = """
from contextlib import ExitStack
from ablate.runs import RunFolder
import time
folder = RunFolder(Path(sys.argv[2]))
while folder.is_claimed():
    time.sleep(0.05)
print("dead", flush=True)
sys.stdin.readline()
with folder.claim() as claimed:
    print("mine" if claimed else "not mine", flush=True)
    sys.stdin.readline()
"""


def test_of_many_who_take_over_at_once_one_does(
    host: Hosts, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat._beats, "add", lambda path: None)
    with host.on("there"), RunFolder(folder.path).claim():
        takers = [Elsewhere(f"host {number}", _TAKE, folder.path) for number in range(5)]
        try:
            assert {taker.says() for taker in takers} == {"dead"}
            for taker in takers:
                taker.goes_on()
            assert sorted(taker.says() for taker in takers) == ["mine"] + 4 * ["not mine"]
            for taker in takers:
                taker.goes_on()
                taker.ends()
        finally:
            for taker in takers:
                taker.kill()
    assert not list(folder.path.glob(".claim-*"))


# Kills copies of this process at one step after the other, until one gets to its end.
_KILLED = """
import os, signal, sys, time
from pathlib import Path
from ablate.runs import RunFolder, heartbeat, hosts
heartbeat.SILENCE_S = 0.2
hosts.this_host = lambda: host
host = "here"
folder = RunFolder(Path(sys.argv[1]))

def copy(work):
    if not (child := os.fork()):
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]

def die():
    global host
    host = "there"
    folder.claim().__enter__()
    os.kill(os.getpid(), signal.SIGKILL)

def taken(patience_s=20):
    deadline = time.monotonic() + patience_s
    while True:
        with folder.claim() as mine:
            if mine:
                return True
        assert time.monotonic() < deadline
        time.sleep(0.02)

def killed_at(step):
    left = step
    def at_a_step(call):
        def stepping(*words, **more):
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*words, **more)
        return stepping
    def work():
        for name in ("rename", "rmdir", "unlink", "mkdir", "open"):
            setattr(Path, name, at_a_step(getattr(Path, name)))
        taken()
    return copy(work)

step = 1
while True:
    copy(die)
    status = killed_at(step)
    assert taken()
    assert not folder.is_claimed()
    if not status:
        break
    step += 1
print(step)
"""


def test_a_kill_at_any_step_of_taking_over_leaves_a_run_that_continues(folder: RunFolder) -> None:
    folder.save_checkpoint(1, b"state")
    before = files(folder.path)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, folder.path], capture_output=True, text=True, check=False
    )
    assert killed.returncode == 0, killed.stderr
    assert int(killed.stdout) > 8
    # What one has prepared is removed once the run is done.
    after = {name: content for name, content in files(folder.path).items() if ".claim-" not in name}
    assert after == before
    folder.publish_result(result(folder))
    folder.create(folder.spec_file())
    assert files(folder.path).keys() == {"spec.json", "result.json"}


def test_on_one_host_a_stopped_process_keeps_its_claim(folder: RunFolder) -> None:
    hold = """
from ablate.runs import RunFolder
with RunFolder(Path(sys.argv[2])).claim():
    print("held", flush=True)
    sys.stdin.readline()
"""
    holder = Elsewhere(hosts.this_host(), hold, folder.path)
    try:
        assert holder.says() == "held"
        holder.send(signal.SIGSTOP)
        time.sleep(2 * SILENCE_S)
        assert folder.is_claimed()
    finally:
        holder.kill()
    assert not folder.is_claimed()


def test_what_others_have_replaced_meanwhile_is_looked_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_files, "_PAUSES_S", (0.0,) * 4)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    really, left = os.open, 3

    def stale(*words: object, **more: object) -> int:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return really(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", stale)
    assert plain_files.read_bytes(path) == b"content"
    left = 100
    with pytest.raises(OSError, match="Stale file handle"):
        plain_files.read_bytes(path)
    # Five tries to read, and five in each of them to open it.
    assert left == 75


def test_a_folder_that_is_gone_cannot_be_claimed(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be locked: No such file"):
        Claim(tmp_path / "none" / "claim").held().__enter__()


def test_a_driver_on_another_host_lives_until_it_is_silent(
    host: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "_LOOK_EVERY_S", 0.02)
    with host.on("there"), drivers.driving(tmp_path, "record", "sweep"):
        host.name = "here"
        (file,) = drivers.driver_files(tmp_path)
        assert file.is_undecided()
        drivers.wait_for_signs(tmp_path)
        assert file.lives()
        assert not file.is_undecided()
        # As if it was lost.
        monkeypatch.setattr(heartbeat._beats, "_paths", set())
        deadline = time.monotonic() + 20
        while file.lives():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with drivers.driving(tmp_path, "record", "sweep") as own:
            assert [each.path for each in drivers.driver_files(tmp_path)] == [own.path]
