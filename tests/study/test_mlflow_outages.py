"""Real sweeps against a real MLflow: whatever it does, they end the same.

"The same" are weights, pixels and table of a sweep that nothing disturbed.
"""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ablate.runs import Store
from ablate.study.report import report_sweep
from tiny_sweeps import OVERRIDES
from tracking.mlflow_server import Mirrored, MlflowServer, mirrored

ROWS = ("translandseg", "translandseg-4")
LIMIT_S = 300
# What people set for an MLflow of their own, and proxies that know nothing of this machine.
HOSTILE = {
    "MLFLOW_EXPERIMENT_NAME": "theirs",
    "MLFLOW_EXPERIMENT_ID": "77",
    "MLFLOW_RUN_ID": "0" * 32,
    "MLFLOW_REGISTRY_URI": "nonsense",
    "MLFLOW_LOGGING_LEVEL": "DEBUG",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "perhaps",
    "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH": "1",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "many",
    "MLFLOW_TRUNCATE_LONG_VALUES": "no",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "",
}


def words(*rows: str, epochs: int = 2) -> list[str]:
    settings = [f"epochs={epochs}" if each.startswith("epochs") else each for each in OVERRIDES]
    listed = [word for each in settings for word in ("--set", each)]
    listed += [word for row in rows or ROWS for word in ("--variant", row)]
    return ["--grid", "table4", "--protocol", "demo", "--device", "cpu", *listed]


_started: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    """Where a test fails, too."""
    yield
    while _started:
        process = _started.pop()
        process.terminate()
        process.communicate(timeout=LIMIT_S)


def start(command: str, store: Path, *more: str, **environ: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ablate", command, "--store", str(store), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environ,
    )
    _started.append(process)
    return process


def end(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def outcome(store: Path) -> dict[str, bytes]:
    """Weights, pixels and table."""
    opened = Store(store)
    files = {
        f"{folder.key}/{path.name}": path.read_bytes()
        for folder in opened.runs()
        for path in (folder.weights_path, folder.confusion_path)
    }
    (record,) = opened.sweep_records("table4")
    return files | {"table": report_sweep(record, opened).render("csv").encode()}


def own(store: Path) -> Mirrored:
    return mirrored(Store(store).mlflow_path / "mlflow.db")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = tmp_path_factory.mktemp("undisturbed")
    end(start("run", store, *words(), "--no-track"))
    return outcome(store)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path / "server")
    yield server
    server.kill()


def test_starts_at_once_make_no_run_and_no_epoch_twice(
    tmp_path: Path, server: MlflowServer, undisturbed: dict[str, bytes]
) -> None:
    """Two starts of one sweep, and another sweep in another store."""
    server.start()
    to_server = ("--tracking-uri", server.uri)
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    twice = [start("run", store, *words(), *to_server) for _ in range(2)]
    other = start("run", elsewhere, *words(ROWS[0], epochs=3), *to_server)
    # On a busy machine the mirror may need more time than a sweep gives it in the end.
    behind = ["MLflow is behind" in end(process) for process in (*twice, other)]
    for each in (store, elsewhere) if any(behind) else ():
        end(start("sync", each, *to_server))
    found = mirrored(server.database)
    assert found.is_whole
    assert (len(found.parents), len(found.nested), len(found.steps)) == (2, 3, 2 + 2 + 3)
    assert outcome(store) == undisturbed


def test_a_server_that_is_away_is_noted_and_filled_later(
    tmp_path: Path, server: MlflowServer, undisturbed: dict[str, bytes]
) -> None:
    """Filled under switches and proxies that are not meant for it."""
    store = tmp_path / "store"
    to_server = ("--tracking-uri", server.uri)
    (note,) = [
        line
        for line in end(start("run", store, *words(), *to_server)).splitlines()
        if "MLflow is behind" in line
    ]
    assert note.startswith("MLflow is behind")
    assert note.endswith("; `ablate sync` completes it")
    assert outcome(store) == undisturbed
    said = end(start("sync", store, *to_server), 2)
    assert said.startswith(f"error: MLflow at {server.uri}: ")
    assert len(said.splitlines()) == 1
    server.start()
    filled = end(start("sync", store, *to_server, **HOSTILE))
    assert "2 runs of 1 sweep are in MLflow" in filled
    found = mirrored(server.database)
    assert found.is_whole
    assert len(found.steps) == 4


@pytest.mark.slow
@pytest.mark.parametrize("lock_s", [6, 40])
def test_a_locked_database_is_waited_for_by_the_mirror_alone(
    tmp_path: Path, undisturbed: dict[str, bytes], lock_s: float
) -> None:
    store = tmp_path / "store"
    assert "MLflow is behind" not in end(start("run", store, *words(ROWS[0]), **HOSTILE))
    assert len(own(store).steps) == 2
    database = Store(store).mlflow_path / "mlflow.db"
    with closing(sqlite3.connect(database, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(lock_s, other.rollback)
        release.start()
        said = end(start("run", store, *words()))
        release.join()
    if "MLflow is behind" in said:
        assert "another program has locked" in said
        assert "remove" not in said
        end(start("sync", store))
    found = own(store)
    assert found.is_whole
    assert (len(found.nested), len(found.steps)) == (2, 4)
    assert outcome(store) == undisturbed


@pytest.mark.slow
def test_a_silent_server_holds_nobody_up(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    store = tmp_path / "store"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = end(start("run", store, *words(), "--tracking-uri", uri))
    assert "MLflow is behind; `ablate sync` completes it" in said
    assert outcome(store) == undisturbed
