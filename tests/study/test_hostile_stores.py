"""A store made by others can lie in numbers, but runs no code and writes nothing outside itself."""

import io
import json
import os
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.storages.journal import JournalFileBackend

from ablate.cli.console import print_rows
from ablate.cli.lines import TableFormat
from ablate.errors import StoreError
from ablate.registry import Catalogue
from ablate.report import WRITERS
from ablate.report.page.pictures import read_pictures
from ablate.runs import Store
from ablate.runs.documents import MOST_BYTES
from ablate.study import find_leftovers, latest_start, merge_stores, report_sweep, verify_store
from ablate.study.status import sweep_status
from ablate.train.state import UnusableCheckpoint, _loaded
from report.sweep_on_disk import SweepOnDisk
from tiny_sweeps import tiny_study

ROW, OTHER = "translandseg-1", "translandseg"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\r\u0085"
CONTROLS = {letter for letter in ESCAPES if not letter.isprintable()}
HOSTILE = f'=cmd|"/c calc"!A1 <script>alert(1)</script> {ESCAPES}\n| \\input{{/etc/passwd}}'


@pytest.fixture
def table(tmp_path: Path) -> SweepOnDisk:
    table = SweepOnDisk(tmp_path / "store", Catalogue().protocol("demo"), names=(OTHER, ROW))
    table.finish(OTHER, miou=0.88)
    table.finish(ROW, miou=0.84)
    table.start()
    return table


def forge(table: SweepOnDisk, change: Callable[[dict[str, Any]], None]) -> Path:
    """Edits the sweep's record as its maker can: with no digest, or with the right one."""
    (path,) = (table.root / "sweeps").glob("*.json")
    document = json.loads(path.read_text())
    del document["sha256"]
    change(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    "key", ["../../outside", "/etc", "..", "", "0123456789abcdef/..", "0123456789ABCDEF", "a\0b"]
)
def test_a_key_that_is_a_path_is_refused(table: SweepOnDisk, key: str) -> None:
    forge(table, lambda document: document["runs"][0].update(key=key))
    for read in (
        lambda: sweep_status(table.root),
        lambda: latest_start(table.store, "table4"),
        lambda: verify_store(table.root),
        lambda: merge_stores([table.root], table.root.with_name("merged")),
    ):
        with pytest.raises(StoreError, match=r"cannot be read: runs\.0\.key") as caught:
            read()
        assert "\0" not in str(caught.value)
    assert sorted(path.name for path in table.root.parent.iterdir()) == ["store"]


@pytest.mark.parametrize("name", ["../../outside", "/etc/x", "a/b", "x\ny", "\x1b[31m", "table5"])
def test_a_record_under_the_name_of_another_is_refused(table: SweepOnDisk, name: str) -> None:
    """The sweep's name becomes the name of the report's file, and of folders of the cache."""
    forge(table, lambda document: document["sweep"].update(name=name))
    with pytest.raises(StoreError, match="is the record of ") as caught:
        latest_start(table.store, "table4")
    assert str(caught.value).isprintable()


@pytest.fixture
def painted(table: SweepOnDisk) -> SweepOnDisk:
    """A record whose labels, titles and causes are chosen to be taken for something else."""

    def change(document: dict[str, Any]) -> None:
        document["sweep"]["title"] = HOSTILE
        document["runs"][0]["variant"]["label"] = HOSTILE

    forge(table, change)
    return table


@pytest.mark.parametrize("format", WRITERS)
def test_texts_are_texts_in_every_format(painted: SweepOnDisk, format: str) -> None:
    text = report_sweep(latest_start(painted.store, "table4")[0], painted.store).render(format)
    assert not CONTROLS & set(text)
    assert "<script>alert" not in text.replace("\\<", "") or format in ("csv", "json")
    assert "\\input{" not in text or format in ("csv", "markdown", "json", "html")
    if format == "csv":
        assert "'=cmd" in text
        assert "\n=cmd" not in text


def test_no_text_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"label": HOSTILE}], TableFormat.TABLE, title=HOSTILE)
    shown = capsys.readouterr().out
    assert not CONTROLS & set(shown)
    assert "\\x1b" in shown


FOLDERS = ("runs", "sweeps", "tunings", "sources", "data-checks", "drivers", "cache", "mlflow")


@pytest.mark.parametrize("name", [*FOLDERS, "logs", "cache/files", "mlflow/artifacts"])
def test_a_link_in_place_of_a_folder_of_a_store_is_refused(
    table: SweepOnDisk, tmp_path: Path, name: str
) -> None:
    """Whatever is written there would leave the store: nothing is."""
    place, elsewhere = table.root / name, tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rename(tmp_path / "moved")
    place.symlink_to(elsewhere)
    study = tiny_study(table.root)
    for use in (
        lambda: sweep_status(table.root),
        lambda: merge_stores([table.root], tmp_path / "merged"),
        lambda: find_leftovers(table.root),
        study.plan,
        study.run,
    ):
        with pytest.raises(
            StoreError, match=f"{re.escape(str(place))} is a link, which may"
        ) as refused:
            use()
        assert "\n" not in str(refused.value)
    assert list(elsewhere.iterdir()) == []


def test_a_store_that_is_a_link_is_what_it_leads_to(table: SweepOnDisk, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(table.root)
    assert len(sweep_status(link)[0].runs) == 2
    # A name of the user's own beside the store's folders leads where it likes.
    (table.root / "notes").symlink_to(tmp_path)
    assert len(sweep_status(link)[0].runs) == 2


def test_a_run_whose_folder_is_a_link_is_not_worked_on(table: SweepOnDisk, tmp_path: Path) -> None:
    """What is written there would leave the store, and what lies there would be moved."""
    folder, elsewhere = table.folder(ROW).path, tmp_path / "elsewhere"
    spec = table.folder(ROW).spec_file()
    folder.rename(elsewhere)
    (elsewhere / "confusion.parquet").write_bytes(b"")
    folder.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    with pytest.raises(StoreError, match="is a link, not a folder"):
        Store(table.root).run(spec.key).create(spec)
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.parametrize("name", ["panels", "attempts"])
def test_folders_of_a_run_that_are_links_are_refused(
    table: SweepOnDisk, tmp_path: Path, name: str
) -> None:
    folder = table.folder(ROW)
    (tmp_path / "elsewhere").mkdir()
    (folder.path / name).symlink_to(tmp_path / "elsewhere")
    assert "is a link, not a folder" in str(folder.damage())


@pytest.mark.parametrize("name", ["panels/x.png", "attempts/1.json", "anything.txt"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_merge_follows_no_link(table: SweepOnDisk, tmp_path: Path, name: str, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path = table.folder(ROW).path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "link":
        path.symlink_to(secret)
    else:
        os.mkfifo(path)
    with pytest.raises(StoreError):
        merge_stores([table.root], tmp_path / "merged")
    found = [each for each in (tmp_path / "merged").rglob("*") if each.is_file()]
    assert all(b"secret" not in each.read_bytes() for each in found)


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 100_000, b"9" * 100_000])
def test_nested_and_endless_json_is_one_line(table: SweepOnDisk, content: bytes) -> None:
    (table.folder(ROW).path / "result.json").write_bytes(content)
    (row,) = (run for run in sweep_status(table.root)[0].runs if run["variant"] == ROW)
    assert row["state"] == "damaged"


def test_a_huge_file_is_not_read(table: SweepOnDisk) -> None:
    with (table.folder(ROW).path / "result.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "more than the 67,108,864 allowed" in str(table.folder(ROW).damage())


# Panels ------------------------------------------------------------------------------------


def png(width: int, height: int, rest: bytes = b"") -> bytes:
    """A PNG that declares this size, and then whatever follows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest


@pytest.mark.parametrize(
    "content",
    [
        png(3 * 2**30, 2**30),
        png(3 * 60_000, 60_000),
        png(3 * 64, 64, b"\xff\xff\xff\xffIDAT"),
        png(3 * 64, 64, b"\0\0\0\1\x96\xf6X\xf6xxxxx"),
        b"",
        b"GIF89a",
    ],
    ids=["largest", "bomb", "endless", "chunk", "empty", "gif"],
)
def test_a_panel_of_any_bytes_is_left_out(table: SweepOnDisk, content: bytes) -> None:
    panels = table.folder(ROW).path / "panels"
    panels.mkdir()
    (panels / "a.png").write_bytes(content)
    report = report_sweep(latest_start(table.store, "table4")[0], table.store).report
    assert read_pictures(report, table.store)[0] == ()


# Checkpoints ------------------------------------------------------------------------------


class _Code:
    """Touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"trained": _Code(tmp_path / "owned")}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(_Code(tmp_path / "owned"))):
        with pytest.raises(UnusableCheckpoint):
            _loaded(content)
    assert not (tmp_path / "owned").exists()


def test_a_checkpoint_that_unpacks_to_more_than_it_has_is_refused() -> None:
    buffer = io.BytesIO()
    torch.save({"trained": torch.zeros(1_000_000)}, buffer)
    bomb = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(bomb, "w", 8) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert len(bomb.getvalue()) < 20_000
    with pytest.raises(UnusableCheckpoint, match="unpacks to more bytes than it has"):
        _loaded(bomb.getvalue())


def test_the_journal_of_optuna_holds_no_pickles() -> None:
    """Optuna unpickles the snapshots of backends that have them."""
    assert not hasattr(JournalFileBackend, "load_snapshot")
