"""A second start finishes what the first one drops; with --no-wait it says that it does not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cli.command import ablate, environment, start

RUN = ["run", "--grid", "table4", "--protocol", "demo", "--no-track", "--set", "image_size_px=64"]
RUN += ["--set", "data={kind: generated, seed: 1, count: 20, size_px: 64}"]
RUN += ["--set", "epochs=12", "--variant", "translandseg"]
PATIENCE_S = 120


def test_the_second_finishes_what_the_first_drops(tmp_path: Path) -> None:
    first = start(tmp_path, *RUN)
    deadline = time.monotonic() + PATIENCE_S
    while not list(tmp_path.glob("ablate-store/runs/*/checkpoint-*.pt")):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.01)
    # It keeps its run, and does not end meanwhile.
    os.killpg(first.pid, signal.SIGSTOP)
    left = ablate(tmp_path, *RUN, "--no-wait")
    assert left.returncode == 3, left.stderr
    assert "1 run is being trained by another process" in left.stdout
    second = subprocess.Popen(
        [sys.executable, "-m", "ablate", *RUN],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert second.stdout is not None
    said = second.stdout.readline()
    while "it is waited for (--no-wait leaves them)" not in said:
        said = second.stdout.readline()
        assert said, second.wait()
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    out, _ = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, out
    assert "1 of 1 runs done, after" in out
