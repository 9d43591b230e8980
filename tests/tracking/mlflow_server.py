"""A real MLflow server on loopback, with a database of its own; read without MLflow."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ablate.tracking import environment

_LIMIT_S = 120


@dataclass
class MlflowServer:
    """Always on the same port, however often it is started."""

    folder: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    def start(self) -> None:
        words = ["--backend-store-uri", f"sqlite:///{self.database}", "--workers", "1"]
        words += ["--artifacts-destination", str(self.folder / "artifacts")]
        words += ["--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *words],
                env=environment.server_environment(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + _LIMIT_S
        while not self._answers():
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL for it and its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return True
        except OSError:
            return False


@dataclass(frozen=True)
class Mirrored:
    """What a database of MLflow's holds.

    Attributes:
        parents: The status of each parent run.
        nested: The status of each nested run, by its key.
        steps: How often each epoch of each run is there.
    """

    parents: list[str]
    nested: list[tuple[str, str]]
    steps: dict[tuple[str, int], int]

    @property
    def is_whole(self) -> bool:
        """Whether all of it has ended well, with no run and no epoch twice."""
        keys = [key for key, _ in self.nested]
        statuses = {*self.parents, *(status for _, status in self.nested)}
        is_single = len(keys) == len(set(keys)) and set(self.steps.values()) <= {1}
        return bool(keys) and is_single and statuses == {"FINISHED"}


def mirrored(database: Path) -> Mirrored:
    """Reads a database, which another process may be writing to."""
    if not database.exists():
        return Mirrored([], [], {})
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        runs = connection.execute(
            "SELECT status, value FROM runs LEFT JOIN tags "
            "ON runs.run_uuid = tags.run_uuid AND key = 'ablate.key' "
            "WHERE lifecycle_stage = 'active'"
        ).fetchall()
        steps = connection.execute(
            "SELECT run_uuid, step, count(*) FROM metrics WHERE key = 'epoch/miou' GROUP BY 1, 2"
        ).fetchall()
    return Mirrored(
        parents=[status for status, key in runs if key is None],
        nested=sorted((key, status) for status, key in runs if key is not None),
        steps={(run, step): count for run, step, count in steps},
    )
