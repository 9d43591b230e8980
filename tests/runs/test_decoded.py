"""What Parquet files hold is remembered by their digests, and never believed over them."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ablate.errors import StoreError
from ablate.runs import decoded
from ablate.runs.confusions import encode
from ablate.runs.decoded import DecodedConfusions, remembered

WHERE = Path("confusion.parquet")
NAMES = ["a", "b ü", "c"]


def content_of(run: int, names: list[str] | None = None) -> bytes:
    names = NAMES if names is None else names
    return encode(names, [(run, image, 0, 9) for image in range(len(names))])


@pytest.fixture(autouse=True)
def _few_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "_WORTH_RUNS", 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where five runs, one of them of other images, are remembered."""
    path = tmp_path / "cache" / "sweep"
    with remembered(path) as known:
        for run in range(4):
            known.decode(content_of(run), WHERE)
        known.decode(content_of(7, ["z"]), WHERE)
    assert path.is_file()
    return path


def refuse(content: bytes, path: Path) -> None:
    raise AssertionError("it is decoded again")


def test_it_is_not_decoded_again_and_is_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = DecodedConfusions(None)
    expected = [fresh.decode(content_of(run), WHERE) for run in (3, 0)]
    monkeypatch.setattr("ablate.runs.confusions.decode", refuse)
    known = DecodedConfusions(path)
    for run, want in zip((3, 0), expected, strict=True):
        found = known.decode(content_of(run), WHERE)
        assert (found.names, found.counts.dtype) == (want.names, want.counts.dtype)
        np.testing.assert_array_equal(found.counts, want.counts)
    assert known.decode(content_of(7, ["z"]), WHERE).names == ("z",)


def test_a_file_that_was_changed_is_read_as_it_is(path: Path) -> None:
    known = DecodedConfusions(path)
    changed = encode(NAMES, [(100, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0)])
    assert known.decode(changed, WHERE).counts[0, 0] == 100
    with pytest.raises(StoreError, match="cannot be read"):
        known.decode(content_of(0)[:-1], WHERE)


def corrected(content: bytes) -> bytes:
    """With a digest that fits."""
    _, _, rest = content.partition(b"\n")
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


DAMAGES = {
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "cut": lambda content: content[:-8],
    "a flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "another form": lambda content: corrected(content.replace(b'"runs"', b'"rows"')),
    "fewer counts": lambda content: corrected(content[:-32]),
    "half a count": lambda content: corrected(content[:-4]),
    "a number of names that are not there": lambda content: corrected(
        content.replace(b": 1}", b": 8}")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_anew(path: Path, damage: str) -> None:
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    with remembered(path) as known:
        found = [known.decode(content_of(run), WHERE).counts[0, 0] for run in range(4)]
        known.decode(content_of(7, ["z"]), WHERE)
    assert found == [0, 1, 2, 3]
    assert path.read_bytes() == whole


def test_what_is_no_file_is_passed_over(path: Path, tmp_path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    assert DecodedConfusions(path).decode(content_of(2), WHERE).counts[0, 0] == 2


def test_few_are_not_worth_a_file(tmp_path: Path) -> None:
    with remembered(tmp_path / "sweep") as known:
        for run in range(2):
            known.decode(content_of(run), WHERE)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with remembered(tmp_path / "cache" / "sweep") as known:
        for run in range(4):
            assert known.decode(content_of(run), WHERE).counts[0, 0] == run
