import hashlib
import json
import os
from pathlib import Path

import pytest

from ablate.runs import FileDigests

OLD_NS = 1_600_000_000_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "файл 1.png"
    path.write_bytes(b"first")
    os.utime(path, ns=(OLD_NS, OLD_NS))
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


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"[1]", b'{"x": 1}'])
def test_a_broken_cache_is_ignored_and_rewritten(
    file: Path, tmp_path: Path, broken: bytes, hashed: list[str]
) -> None:
    cache = tmp_path / "digests.json"
    cache.write_bytes(broken)
    remembered(cache, file)
    remembered(cache, file)
    assert len(hashed) == 1


@pytest.mark.parametrize("entry", [1, [], [5, OLD_NS], "x"])
def test_a_broken_entry_is_ignored(file: Path, tmp_path: Path, entry: object) -> None:
    cache = tmp_path / "digests.json"
    cache.write_text(json.dumps({str(file): entry}))
    assert FileDigests(cache).of(file) == hashlib.sha256(b"first").hexdigest()
