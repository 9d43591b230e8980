import errno
import hashlib
import os
import time
import zipfile
from pathlib import Path

import pytest

from ablate.runs import FileDigests, atomic
from ablate.runs.remembered import remember

OLD_NS = 1_600_000_000_000_000_000


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "файл 1.png"
    path.write_bytes(b"first")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    # A file's time of change cannot be set; what was written just now becomes old by the clock.
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + 10**10)
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were really read."""
    names: list[str] = []
    compute = hashlib.file_digest

    def spy(content: object, algorithm: str) -> object:
        names.append(Path(content.name).name)  # type: ignore[attr-defined]
        return compute(content, algorithm)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", spy)
    return names


def remembered(cache: Path, file: Path) -> str:
    digests = FileDigests(cache)
    digest = digests.of(file)
    digests.save()
    return digest


def test_an_unchanged_file_is_read_once(file: Path, hashed: list[str], tmp_path: Path) -> None:
    cache = tmp_path / "deep/digests.json"
    digest = remembered(cache, file)
    assert digest == hashlib.sha256(b"first").hexdigest()
    assert remembered(cache, file) == digest
    assert hashed == [file.name]
    assert [path.name for path in cache.parent.iterdir()] == ["digests.json"]


@pytest.mark.parametrize("when_ns", [OLD_NS, OLD_NS + 1])
def test_another_size_or_time_is_read_again(
    file: Path, hashed: list[str], tmp_path: Path, when_ns: int
) -> None:
    cache = tmp_path / "digests.json"
    remembered(cache, file)
    content = b"other" if when_ns != OLD_NS else b"longer"
    file.write_bytes(content)
    os.utime(file, ns=(when_ns, when_ns))
    assert remembered(cache, file) == hashlib.sha256(content).hexdigest()
    assert len(hashed) == 2


def test_a_file_that_may_still_change_is_not_remembered(tmp_path: Path, hashed: list[str]) -> None:
    cache, fresh = tmp_path / "digests.json", tmp_path / "fresh.png"
    fresh.write_bytes(b"now")
    remembered(cache, fresh)
    remembered(cache, fresh)
    assert len(hashed) == 2
    assert not cache.exists()


@pytest.mark.parametrize("broken", [b"", bytes(99), b"{", b"\xff\xfe", b"[1]", b'{"x": 1}'])
def test_a_broken_cache_is_ignored_and_rewritten(
    file: Path,
    tmp_path: Path,
    broken: bytes,
    hashed: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = tmp_path / "digests.json"
    cache.write_bytes(broken)
    remembered(cache, file)
    remembered(cache, file)
    assert len(hashed) == 1
    (record,) = caplog.records
    assert record.getMessage() == f"{cache} is damaged or of another version, and is made anew"


def test_of_a_digest_that_was_altered_nothing_is_believed(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "digests.json"
    digest = remembered(cache, file)
    cache.write_text(cache.read_text().replace(digest, "0" * 64))
    assert remembered(cache, file) == digest


def test_what_cannot_be_remembered_is_found_anew(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(atomic, "replace", refuse)
    assert remembered(tmp_path / "digests.json", file) == hashlib.sha256(b"first").hexdigest()


def test_another_file_of_the_same_size_and_date_is_read_again(
    file: Path, hashed: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "digests.json"
    remembered(cache, file)
    for number, content in enumerate((b"other", b"third", b"fourt")):
        if number == 0:  # an archive whose dates are all the same
            with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
                archive.writestr(zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0)), content)
            with zipfile.ZipFile(tmp_path / "archive.zip") as archive:
                archive.extract(file.name, tmp_path)
        elif number == 1:  # written over in place
            file.write_bytes(content)
        else:  # moved into its place
            (tmp_path / "new").write_bytes(content)
            (tmp_path / "new").replace(file)
        os.utime(file, ns=(OLD_NS, OLD_NS))
        assert remembered(cache, file) == hashlib.sha256(content).hexdigest()
    assert len(hashed) == 4


def test_an_entry_of_an_older_version_is_not_used(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "digests.json"
    remember(cache, {str(file): [5, OLD_NS, "0" * 64]})
    assert FileDigests(cache).of(file) == hashlib.sha256(b"first").hexdigest()


@pytest.mark.parametrize("entry", [1, [], [5, OLD_NS], "x"])
def test_a_broken_entry_is_ignored(file: Path, tmp_path: Path, entry: object) -> None:
    cache = tmp_path / "digests.json"
    remember(cache, {str(file): entry})
    assert FileDigests(cache).of(file) == hashlib.sha256(b"first").hexdigest()
