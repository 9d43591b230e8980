import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import Store
from ablate.tracking import check_uri, tracking_uri
from ablate.tracking.address import Address


def test_the_store_has_a_database_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(Store(Path("here")), None) == f"sqlite:///{tmp_path}/here/mlflow/mlflow.db"
    assert tracking_uri(Store(Path("here")), "http://server:5000") == "http://server:5000"


def test_its_uri_leads_back_to_the_file(tmp_path):
    for name in ("plain", "a b", "a%20b", "a?b#c", "é"):
        address = Address.of(Store(tmp_path / name), None)
        assert address.database == tmp_path / name / "mlflow" / "mlflow.db"
        assert address.own


def test_only_sqlite_needs_a_lock_and_a_folder_for_artifacts(tmp_path):
    server = Address.of(Store(tmp_path), "http://server:5000")
    assert (server.database, server.artifacts, server.own) == (None, None, False)
    other = Address.of(Store(tmp_path), f"sqlite:///{tmp_path}/other.db")
    assert (other.database, other.own) == (tmp_path / "other.db", False)
    assert other.artifacts == tmp_path / "mlflow" / "artifacts"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_without_a_file_is_refused(tmp_path, uri):
    with pytest.raises(StoreError, match="names no file"):
        Address.of(Store(tmp_path), uri)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("foo://x", "cannot use the tracking URI foo://x"),
        ("nonsense", "cannot use the tracking URI nonsense"),
        ("file:///tmp/mlruns", "cannot use the tracking URI"),
        ("http://[::bad", "is not a URI"),
        ("http://", "names no host"),
        ("https:///path", "names no host"),
        ("http://host:port", "is not a URI"),
        ("sqlite+nothing:///x.db", "is not a URI"),
        ("mssql+nothing://u@h/x", "is not a URI"),
        ("postgresql+psycopg2://u@127.0.0.1:9/x", "has no driver here"),
        ("file:mlruns", "cannot use the tracking URI"),
        ("postgres://h/x", "cannot use the tracking URI"),
        ("127.0.0.1:5000", "cannot use the tracking URI"),
        ("HTTP://h:5000", "cannot use the tracking URI"),
        ("http://h:0", "names no host"),
        ("http://h:70000", "is not a URI"),
        ("http://a..b", "is not a URI"),
        (f"http://{'a' * 70}:5000", "is not a URI"),
        ("http://h :5000", "has a space"),
        ("http://h:5000/?x=1", "in it"),
        ("http://h:5000 ", "has spaces around it"),
        (" sqlite:///x.db", "has spaces around it"),
        ("http://h:5000\n", "unprintable"),
        ("http://h/\x1b[31m", "unprintable"),
        ("sqlite://h/x.db", "has too few slashes"),
        ("sqlite:x.db", "is not a URI"),
        ("sqlite:////tmp", "names no file"),
        ("sqlite:////dev/null/x.db", "names no file"),
        ("sqlite:///x/", "names no file"),
        (f"sqlite:///{'a' * 300}.db", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
    ],
)
def test_what_can_never_work_is_refused_in_one_line(tmp_path, uri, problem):
    if "psycopg2" in uri and importlib.util.find_spec("psycopg2"):
        pytest.skip("psycopg2 is installed")
    for refuse in (lambda: check_uri(uri), lambda: Address.of(Store(tmp_path), uri)):
        with pytest.raises(StoreError, match=problem) as caught:
            refuse()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    ["http://h:5000", "https://u:p@h/path", "databricks", "databricks://profile", "sqlite:///x.db"],
)
def test_what_may_work_passes(uri):
    check_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:secret@h:bad",
        "http://me:secret@h:99999",
        "http://me:secr/et@h",
        "http://me:secret@",
        "http://me:sec@ret@h:bad",
        "http://me:secret@[::bad",
        "http://me:secret@h/ ",
        "foo://me:secret@h",
        "postgres:me:secret@h",
        "postgresql+nothing://me:secret@h/x",
        "postgresql+psycopg2://me:secret@h:bad/x",
        "mssql://h/x?password=secret",
    ],
)
def test_no_message_holds_a_password(uri):
    with pytest.raises(StoreError) as caught:
        check_uri(uri)
    said = str(caught.value)
    assert not [
        part for part in ("secret", "secr", "ret@", "me:") if part in said.partition(";")[0]
    ]


def test_the_login_of_a_server_is_no_part_of_its_uri(tmp_path):
    address = Address.of(Store(tmp_path), "https://me:p%40ss@host:5000/path")
    assert (address.uri, address.login) == ("https://host:5000/path", ("me", "p@ss"))
    assert "p@ss" not in repr(address)
    token = Address.of(Store(tmp_path), "https://token@host")
    assert (token.uri, token.login, token.shown) == (
        "https://token@host",
        None,
        "https://***@host",
    )


def test_importing_the_room_imports_no_mlflow():
    script = (
        "import sys, ablate.tracking as t; from pathlib import Path;"
        "from ablate.runs import Store; t.tracking_uri(Store(Path('x')), None);"
        "print([m for m in ('mlflow', 'sqlalchemy', 'torch', 'pandas') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
