"""Archives that are no bundles, whatever their names say, are one line each."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.study import verify_bundle

METADATA = "ro-crate-metadata.json"


def archive_of(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(METADATA, b"{}")
        for name, content in entries:
            archive.writestr(name, content)
    return path


def refused(path: Path) -> str:
    """The one line with which it is refused; nothing is left in any folder above."""
    before = set(path.parent.parent.rglob("*"))
    with pytest.raises(BadInput) as caught:
        verify_bundle(path)
    assert set(path.parent.parent.rglob("*")) == before
    line = str(caught.value)
    assert "\n" not in line
    assert "ablate-verify-" not in line
    return line


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/etc/evil.json",
        "runs/../../evil.json",
        "runs/0123456789abcdef/../spec.json",
        "runs\\0123456789abcdef\\spec.json",
        "runs/0123456789abcdef/spec.json ",
        "runs/0123456789abcdef/checkpoint-000000001.pt",
        "sweeps/.hidden.json",
        "evil.py",
        "bundle.json\n",
        "sweeps/\x1b[31m.json",
    ],
)
def test_files_that_no_bundle_has_are_refused(name: str, tmp_path: Path) -> None:
    line = refused(archive_of(tmp_path / "x.zip", (name, b"{}")))
    assert "which no bundle does" in line
    assert "\x1b" not in line


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600, stat.S_IFCHR])
def test_links_and_devices_are_refused(mode: int, tmp_path: Path) -> None:
    line = refused(archive_of(tmp_path / "x.zip", (entry("bundle.json", mode), b"/etc/passwd")))
    assert "as a link or a device" in line


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive_of(tmp_path / "x.zip", ("bundle.json", b"{}"), ("bundle.json", b"[]"))
    assert "has bundle.json twice" in refused(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    zeros = bytes(60_000_000)
    names = [f"runs/{number:016x}/events.jsonl" for number in range(3)]
    line = refused(archive_of(tmp_path / "x.zip", *((name, zeros) for name in names)))
    assert "would unpack to 180,000,002 bytes" in line


def test_a_file_too_large_to_be_read_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "x.zip", (f"runs/{0:016x}/spec.json", bytes((1 << 26) + 1)))
    assert "spec.json of 67,108,865 bytes" in refused(path)


def test_a_size_that_is_a_lie_is_found(tmp_path: Path) -> None:
    """The directory claims a byte where there are many: no more than that byte is unpacked."""
    path = archive_of(tmp_path / "x.zip", ("bundle.json", b"0" * 1000))
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 1)
    path.write_bytes(content)
    assert "is not a whole archive" in refused(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda content: b"",
        lambda content: b"not a zip at all",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-4],
        lambda content: content.replace(b"0123456789", b"0123456780", 1),
    ],
    ids=["empty", "text", "half", "end", "flipped"],
)
def test_damaged_archives_are_refused(make: Callable[[bytes], bytes], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(METADATA, b"{}")
        archive.writestr("bundle.json", b"0123456789" * 10)
    path = tmp_path / "x.zip"
    path.write_bytes(make(buffer.getvalue()))
    assert "is not a whole archive" in refused(path)


def test_what_is_not_there_or_a_folder_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.zip")
    (tmp_path / "x.zip").mkdir()
    assert "Is a directory" in refused(tmp_path / "x.zip")


def test_any_other_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("photo.jpg", b"")
    assert f"has no {METADATA}; give an archive of `ablate bundle`" in refused(tmp_path / "x.zip")


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"schema_version": 99}', b"\xff"])
def test_unreadable_contents_are_one_line(content: bytes, tmp_path: Path) -> None:
    assert "bundle.json" in refused(archive_of(tmp_path / "x.zip", ("bundle.json", content)))


def test_unreadable_metadata_are_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(METADATA, b"[" * 100_000)
    assert METADATA in refused(tmp_path / "x.zip")


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "x.zip", ("bundle.json", b"{}"))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "bundle.json encrypted" in refused(path)
