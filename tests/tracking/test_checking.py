"""``check`` opens the mirror's database or asks its server."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fake_store import fake_store

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import check, sync


def test_a_database_that_is_not_there_yet_is_well_and_stays_away(tmp_path):
    assert check(Store(tmp_path)) == f"{tmp_path}/mlflow/mlflow.db (made by the first run)"
    assert list(tmp_path.iterdir()) == []


def test_the_runs_of_a_database_are_counted_and_nothing_is_written(tmp_path, with_database):
    fake = fake_store(tmp_path)
    with_database(fake.store)
    fake.finish(0)
    sync(fake.store, [fake.record])
    before = (tmp_path / "mlflow" / "mlflow.db").read_bytes()
    assert check(fake.store) == f"{tmp_path}/mlflow/mlflow.db (runs: 1)"
    assert (tmp_path / "mlflow" / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" * 100])
def test_anything_else_in_its_place_is_an_error(tmp_path, content):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"is not a usable MLflow database: .*ablate sync"):
        check(Store(tmp_path))


@contextmanager
def server(status, body):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/version" else 500)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        try:
            yield opened.server_address[1]
        finally:
            opened.shutdown()
            thread.join()


def test_a_server_says_its_version(tmp_path):
    with server(200, b"3.5.0") as port:
        assert check(Store(tmp_path), f"http://127.0.0.1:{port}/").endswith(" (MLflow 3.5.0)")
        assert check(Store(tmp_path), f"http://u:p@127.0.0.1:{port}").endswith(" (MLflow 3.5.0)")
    with server(401, b"") as port:
        assert check(Store(tmp_path), f"http://127.0.0.1:{port}").endswith(" (asks for a login)")
    with server(404, b"") as port, pytest.raises(StoreError, match="/version answers 404"):
        check(Store(tmp_path), f"http://127.0.0.1:{port}")


def test_a_server_that_is_not_there_or_never_answers_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("ablate.tracking.checking._LIMIT_S", 0.2)
    with pytest.raises(StoreError, match=r"MLflow at http://127\.0\.0\.1:9: .*refused"):
        check(Store(tmp_path), "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(StoreError, match="timed out"):
            check(Store(tmp_path), f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < 20


def test_what_can_never_work_is_refused(tmp_path):
    with pytest.raises(StoreError, match="cannot use the tracking URI nonsense"):
        check(Store(tmp_path), "nonsense")
