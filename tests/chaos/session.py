"""A tiny sweep through the command line, in a session of its own: its processes can be counted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

VARIANTS = ("translandseg", "translandseg-4")
SEEDS = (0, 1)
EPOCHS = 3
OVERRIDES = (
    f"epochs={EPOCHS}",
    "batch_size=4",
    "image_size_px=64",
    "data={kind: generated, seed: 1, count: 20, size_px: 64}",
)
PATIENCE_S = 180.0
_POLL_S = 0.005


def run_words(store: Path | str = "store", *more: str) -> list[str]:
    """``ablate run`` of four runs in two cohorts, on two workers."""
    words = ["run", "--grid", "table4", "--protocol", "demo", "--store", str(store)]
    words += ["--device", "cpu", "--device", "cpu", "--seeds", ",".join(map(str, SEEDS))]
    for variant in VARIANTS:
        words += ["--variant", variant]
    for override in OVERRIDES:
        words += ["--set", override]
    return [*words, *more]


def environment(temporary: Path, **more: str) -> dict[str, str]:
    """Without settings of ablate's own, and with a place of its own for temporary files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ABLATE_")}
    return kept | {"COLUMNS": "200", "TMPDIR": str(temporary)} | more


@dataclass(frozen=True)
class Process:
    """One process of a session.

    Attributes:
        pid: Its id.
        parent: That of its parent.
        role: ``driver``, ``fork server``, ``tracker``, ``mirror``, ``worker`` or ``other``. The
            process of the preflight counts as a worker.
    """

    pid: int
    parent: int
    role: str


class Session:
    """A command that was started as the leader of a new session.

    Args:
        folder: The working folder; it also takes the output and the temporary files.
        words: What follows ``ablate``.
        variables: Further environment variables.
    """

    def __init__(
        self, folder: Path, words: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> None:
        """Starts it."""
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"output-{time.time_ns()}.txt"
        self.began = time.time()
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "ablate", *words],
                cwd=folder,
                env=environment(self.temporary, **(variables or {})),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self.popen.pid

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened: nothing of it is left."""
        self.kill()

    @property
    def has_ended(self) -> bool:
        """Whether the driver has ended."""
        return self.popen.poll() is not None

    def output(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def processes(self) -> list[Process]:
        """The processes of the session that are alive."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent, _, session, *_ = path.read_text().rpartition(")")[2].split()
                command = (path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, ValueError):
                continue
            if int(session) == self.pid and state not in "ZX":
                found[int(path.parent.name)] = int(parent), command
        servers = {
            pid for pid, (_, command) in found.items() if "forkserver import main" in command
        }
        return [
            Process(pid, parent, self._role(pid, parent, command, servers))
            for pid, (parent, command) in sorted(found.items())
        ]

    def _role(self, pid: int, parent: int, command: str, servers: set[int]) -> str:
        if pid == self.pid:
            return "driver"
        # A worker is a copy of the server, and so is its command line.
        if "forkserver import main" in command:
            return "worker" if parent in servers or parent == 1 else "fork server"
        if "resource_tracker import main" in command:
            return "tracker"
        return "mirror" if "spawn_main" in command else "other"

    def role(self, role: str) -> list[int]:
        """The ids of the processes with this role."""
        return [process.pid for process in self.processes() if process.role == role]

    def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> bool:
        """Waits until something is so.

        Returns:
            False if the driver has ended before.
        """
        deadline = time.monotonic() + patience_s
        while not condition():
            if self.has_ended:
                return False
            if time.monotonic() > deadline:
                raise TimeoutError(self.output())
            time.sleep(_POLL_S)
        return True

    def signal_group(self, number: signal.Signals) -> None:
        """To every process of the group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group, and to what of the session has left it."""
        self.signal_group(signal.SIGKILL)
        self.popen.wait()
        deadline = time.monotonic() + 10
        while left := self.processes():
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise TimeoutError(str(left))
            time.sleep(_POLL_S)

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        """The exit code."""
        return self.popen.wait(patience_s)

    def leftovers(self, patience_s: float = 60.0) -> list[str]:
        """The processes that are still there a while after the driver's end."""
        deadline = time.monotonic() + patience_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"process {process.pid} ({process.role})" for process in left]

    def temporary_files(self) -> list[str]:
        """What lies where temporary files go, but for torch's own cache."""
        paths = sorted(self.temporary.iterdir())
        return [f"tmp/{path.name}" for path in paths if not path.name.startswith("torchinductor")]


@contextmanager
def session(folder: Path, *words: str, **variables: str) -> Iterator[Session]:
    """The sweep of ``run_words``, or another command; ended at the end."""
    with Session(folder, words or run_words(), variables) as started:
        yield started


def complete(folder: Path, *words: str, **variables: str) -> Session:
    """Starts the sweep, or another command, and waits for its end with exit code 0."""
    with session(folder, *words, **variables) as started:
        code = started.wait()
        if code:
            raise AssertionError(f"exit code {code}: {started.output()}")
        if left := started.leftovers():
            raise AssertionError(f"{left} after {started.output()}")
    return started
