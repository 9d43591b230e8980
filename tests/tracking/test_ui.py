import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from fake_store import fake_store
from reading import parents

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import NOTE_FILE, RUNS_VIEW, environment, serve_ui, sync
from ablate.tracking.address import Address
from chromium import Chromium

SERVE = (
    "import sys; from pathlib import Path; from ablate.runs import Store;"
    "from ablate.tracking import serve_ui;"
    "sys.exit(serve_ui(Store(Path(sys.argv[1])), int(sys.argv[2])))"
)


def test_without_a_mirror_there_is_nothing_to_serve(tmp_path):
    with pytest.raises(StoreError, match=r"no MLflow database .*; run a sweep"):
        serve_ui(Store(tmp_path), 5999)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_an_error(tmp_path, with_database):
    with_database(Store(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StoreError, match=rf"port {port} .*; choose another with --port"):
            serve_ui(Store(tmp_path), port)


def test_a_server_has_an_interface_of_its_own(tmp_path):
    with pytest.raises(StoreError, match=r"https://mlflow\.example; open that address"):
        serve_ui(Store(tmp_path), 5999, "https://mlflow.example")


def test_the_server_keeps_to_itself(monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    environ = environment.server_environment()
    assert "MLFLOW_RUN_ID" not in environ
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == environ["DO_NOT_TRACK"] == "true"
    assert environ["PYTHONSAFEPATH"]
    assert environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


@pytest.mark.parametrize(
    "name",
    [
        *("HOST", "PORT", "WORKERS", "STATIC_PREFIX", "BACKEND_STORE_URI", "DEFAULT_ARTIFACT_ROOT"),
        *("TRACKING_URI", "UVICORN_OPTS", "SERVER_ALLOWED_HOSTS", "WORKSPACE", "EXPERIMENT_ID"),
    ],
)
def test_what_is_meant_for_another_server_is_left_out(monkeypatch, name):
    monkeypatch.setenv(f"MLFLOW_{name}", "theirs")
    assert f"MLFLOW_{name}" not in environment.server_environment()


def test_logging_is_ours_and_what_reaches_artifacts_stays(monkeypatch):
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "https://s3.example")
    environ = environment.server_environment()
    assert environ["MLFLOW_LOGGING_LEVEL"] == "WARNING"
    assert environ["MLFLOW_S3_ENDPOINT_URL"] == "https://s3.example"


def test_a_client_keeps_its_login_and_its_patience(tmp_path, monkeypatch):
    ours = {
        "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
        "MLFLOW_LOGGING_LEVEL": "DEBUG",
        "MLFLOW_TRACKING_TOKEN": "secret",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "7",
        "MLFLOW_WORKSPACE": "team",
    }
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    server = Address.of(Store(tmp_path), "https://mlflow.example")
    environment.prepare_client(server, level="CRITICAL")
    assert {name: os.environ.get(name) for name in ours} == {
        "MLFLOW_ENABLE_ASYNC_LOGGING": None,
        "MLFLOW_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_TRACKING_TOKEN": "secret",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "7",
        "MLFLOW_WORKSPACE": "team",
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(url, server, limit_s=90):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        assert server.poll() is None
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer")


def leave_report(fake):
    folder = fake.store.reports_path / fake.record.id
    folder.mkdir(parents=True)
    (folder / NOTE_FILE).write_text("| Rows | IoU of rows |\n| --- | --- |\n| A | 1 |")
    (folder / "report.html").write_text("<!doctype html><p>whole</p>")


@pytest.mark.browser
def test_a_browser_shows_the_runs(tmp_path, with_database):
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("there is no chromium on PATH")
    fake = fake_store(tmp_path / "store")
    with_database(fake.store)
    result = fake.finish(0).result()
    fake.begin(1)
    leave_report(fake)
    sync(fake.store, [fake.record])
    (parent,) = parents(fake.store)
    port = free_port()
    # Nothing of the folder that it is started in is imported.
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("random", "queue", "torch", "fastapi"):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'imported')!r}, 'a').write('x')")
    command = [sys.executable, "-P", "-c", SERVE, fake.store.root, str(port)]
    server = subprocess.Popen(command, cwd=folder)
    try:
        page = f"http://127.0.0.1:{port}/"
        wait_for(f"{page}health", server)
        with Chromium(binary, tmp_path / "profile") as browser:
            browser.open(f"{page}#/experiments/1/runs")
            assert "table4 · demo" in browser.wait_for("table4 · demo")
            browser.open(f"{page}{RUNS_VIEW}")
            miou = str(result.metrics["miou"])[:6]
            words = ("TransLandSeg\n", "TransLandSeg-7", "final/miou", miou, "Runs by MIoU")
            shown = browser.wait_for(*words)
            assert [word for word in words if word not in shown] == []
            browser.open(f"{page}#/experiments/1/runs/{parent.info.run_id}")
            # Two cells of the note's table, which is no table as plain text.
            assert "Rows\tIoU of rows" in browser.wait_for("Rows\tIoU of rows")
            browser.open(f"{page}#/experiments/1/runs/{parent.info.run_id}/artifacts")
            assert "report.html" in browser.wait_for("report.html")
            browser.open(f"{page}#/experiments/1/models?workflowType=machine_learning")
            assert "Ready" in browser.wait_for("Ready")
            outside = [
                url
                for url in browser.requested
                if url.startswith("http") and not url.startswith(page)
            ]
            assert outside == []
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(30)
    assert code == 0
    assert not (folder / "imported").exists()
