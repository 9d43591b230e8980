"""Processes that believe to be on another host: no lock tells them of each other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

SILENCE_S = 1.5
BEAT_S = 0.1

# Short times, and a host of its own.
_PREPARE = f"""
import sys
from pathlib import Path
from ablate.runs import heartbeat, hosts
heartbeat.BEAT_S, heartbeat.SILENCE_S = {BEAT_S}, {SILENCE_S}
hosts.this_host = lambda: sys.argv[1]
"""


class Elsewhere:
    """A process on a host of this name, that can be stopped.

    Args:
        host: The host's name.
        code: What it does, with its words from ``sys.argv[2]`` on.
        words: For example paths.
    """

    def __init__(self, host: str, code: str, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PREPARE + code, host, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        if number is signal.SIGSTOP:
            # It takes effect some time after it is sent.
            os.waitpid(self.process.pid, os.WUNTRACED)

    def says(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def goes_on(self) -> None:
        """Lets it read a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ends(self, timeout_s: float = 60.0) -> tuple[str, str]:
        """What it prints until it has ended, and its errors."""
        return self.process.communicate(timeout=timeout_s)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def files(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder; None: a folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def computed(folder: Path) -> dict[str, object]:
    """What a run's folder holds that depends on nothing but the run, events without times."""
    names = ["weights.safetensors", "confusion.parquet"]
    names += [f"panels/{path.name}" for path in (folder / "panels").iterdir()]
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    result = json.loads((folder / "result.json").read_text())
    return {
        **{name: (folder / name).read_bytes() for name in names},
        "events": [{**event, "time": 0} for event in events],
        "result": [result[name] for name in ("metrics", "confusion", "weights_sha256", "steps")],
    }
