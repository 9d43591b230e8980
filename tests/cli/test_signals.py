"""Signals before the first step and twice: exit code 75, and no process is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.command import TINY, environment

RUN = ["run", "--grid", "table4", "--protocol", "demo", *TINY, "--variant", "translandseg"]
PATIENCE_S = 60


def start(folder: Path, **settings: Callable[[], object]) -> subprocess.Popen[str]:
    """A sweep that has printed its first line: the preflight is what comes next."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ablate", *RUN],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **settings,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def processes_of(session: int) -> list[int]:
    """The processes that are left in a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(own) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def until_none_is_left(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    while processes_of(process.pid):
        assert time.monotonic() < deadline, processes_of(process.pid)
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("to_all", [False, True], ids=["driver", "group"])
def test_a_signal_before_the_first_step(
    tmp_path: Path, number: signal.Signals, to_all: bool
) -> None:
    process = start(tmp_path)
    (os.killpg if to_all else os.kill)(process.pid, number)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75, said
    assert said.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in said
    until_none_is_left(process)


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.3])
def test_a_second_signal_changes_nothing(tmp_path: Path, pause_s: float) -> None:
    process = start(tmp_path)
    process.terminate()
    time.sleep(pause_s)
    process.terminate()
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75, said
    assert "Traceback" not in said
    until_none_is_left(process)


def test_under_nohup_a_terminal_that_closes_stops_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    deadline = time.monotonic() + PATIENCE_S
    while not list(tmp_path.glob("ablate-store/runs/*/claim/*/holder.json")):
        assert time.monotonic() < deadline
        os.killpg(process.pid, signal.SIGHUP)
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGHUP)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "1 of 1 runs done" in said
