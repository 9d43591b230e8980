"""Where data and weights lie is known on every host, whatever it calls its disks."""

import json
import socket
from pathlib import Path

import pytest

from ablate.runs import Store

DIGEST = "ab" * 32


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of this host is the last of these."""
    names = ["first"]
    monkeypatch.setattr(socket, "gethostname", lambda: names[-1])
    return names


def make(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_each_host_finds_what_it_has_seen_itself(tmp_path: Path, hosts: list[str]) -> None:
    store = Store(tmp_path / "store")
    store.remember_source(DIGEST, make(tmp_path / "a"))
    hosts.append("second")
    assert store.source(DIGEST) == tmp_path / "a"
    store.remember_source(DIGEST, make(tmp_path / "b"))
    assert store.source(DIGEST) == tmp_path / "b"
    hosts.append("first")
    assert store.source(DIGEST) == tmp_path / "a"
    hosts.append("third")
    assert store.source(DIGEST) == tmp_path / "b"


def test_a_disk_with_store_and_data_may_be_mounted_elsewhere(
    tmp_path: Path, hosts: list[str]
) -> None:
    store = Store(make(tmp_path / "mount" / "stores" / "one"))
    store.remember_source(DIGEST, make(tmp_path / "mount" / "images"))
    (tmp_path / "mount").rename(tmp_path / "other")
    hosts.append("second")
    moved = Store(tmp_path / "other" / "stores" / "one")
    assert moved.source(DIGEST) == tmp_path / "other" / "images"
    # So it is on the first, for a store that was moved with its data.
    hosts.append("first")
    assert moved.source(DIGEST) == tmp_path / "other" / "images"


def test_what_is_nowhere_is_looked_for_where_it_was_last_seen(
    tmp_path: Path, hosts: list[str]
) -> None:
    store = Store(tmp_path / "store")
    store.remember_source(DIGEST, tmp_path / "gone")
    hosts.append("second")
    assert store.source(DIGEST) == tmp_path / "gone"


def test_the_note_of_an_older_ablate_is_read_and_kept(tmp_path: Path, hosts: list[str]) -> None:
    store = Store(tmp_path)
    note = make(tmp_path / "sources") / f"{DIGEST}.json"
    note.write_text(json.dumps({"schema_version": 2, "path": "/data/images"}))
    assert store.source(DIGEST) == Path("/data/images")
    store.remember_source(DIGEST, tmp_path / "images")
    assert store.source(DIGEST) == tmp_path / "images"


def test_a_note_stays_small(tmp_path: Path, hosts: list[str]) -> None:
    store = Store(tmp_path)
    for number in range(120):
        hosts.append(f"host{number}")
        store.remember_source(DIGEST, tmp_path / "images")
    noted = json.loads((tmp_path / "sources" / f"{DIGEST}.json").read_text())
    assert len(noted["hosts"]) == 100
    assert "host119" in noted["hosts"]
    assert "host0" not in noted["hosts"]
