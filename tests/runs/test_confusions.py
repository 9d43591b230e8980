"""Per-image confusions come back as they were written; anything else is refused in one line."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.errors import StoreError
from ablate.runs import RunFolder

NAMES = ("a", "b/ä", "c")
COUNTS = ((1, 2, 3, 4), (5, 6, 7, 8), (0, 0, 0, 2**40))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    made = RunFolder(tmp_path / "run")
    made.write_confusions(NAMES, COUNTS)
    return made


def test_what_was_written_comes_back(folder: RunFolder) -> None:
    found = folder.confusions()
    assert found.names == NAMES
    assert found.counts.dtype == np.int64
    assert found.counts.tolist() == [list(row) for row in COUNTS]
    columns = (found.tp, found.fp, found.fn, found.tn)
    assert [column.tolist() for column in columns] == [
        list(each) for each in zip(*COUNTS, strict=True)
    ]
    assert found.pooled == {"tp": 6, "fp": 8, "fn": 10, "tn": 12 + 2**40}


def test_names_are_kept_once_for_all_runs(folder: RunFolder) -> None:
    assert folder.confusions().names is folder.confusions().names


def test_files_that_pandas_wrote_are_read(folder: RunFolder) -> None:
    """Older versions of ablate did."""
    frame = pd.DataFrame(COUNTS, columns=["tp", "fp", "fn", "tn"])
    frame.insert(0, "image", NAMES)
    frame.to_parquet(folder.confusion_path, index=False)
    assert folder.confusions().names == NAMES
    assert folder.confusions().counts.tolist() == [list(row) for row in COUNTS]


def test_a_name_that_is_no_text_is_escaped(folder: RunFolder) -> None:
    folder.write_confusions(["a\udcff"], [(1, 1, 1, 1)])
    assert folder.confusions().names == ("a\\xff",)


def written(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    good = {"image": ["a", "b"], "tp": [1, 1], "fp": [1, 1], "fn": [1, 1], "tn": [1, 1]}
    table = {name: value for name, value in (good | columns).items() if value is not None}
    pd.DataFrame(table).to_parquet(buffer, index=False)
    return buffer.getvalue()


WHOLE = written()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read: "),
        (WHOLE[:300], "cannot be read: "),
        (b"PAR1" + os.urandom(200) + b"PAR1", "cannot be read: "),
        (written(tn=None), "its columns are image, tp, fp, fn"),
        (written(more=[1, 2]), "its columns are image, tp, fp, fn, tn, more"),
        (written(tp=[0.5, 1.0]), "its columns are not text and whole numbers"),
        (written(image=[1, 2]), "its columns are not text and whole numbers"),
        (written(tp=[-1, 1]), "counts -1 pixels in an image"),
        (written(tp=[2**60, 1]), "counts 1,152,921,504,606,846,976 pixels in an image"),
        (written(image=["a", "a"]), "it names image a twice"),
        (written(image=["a", None]), "it has gaps"),
        (written(image=[], tp=[], fp=[], fn=[], tn=[]), "cannot be read: its columns"),
    ],
)
def test_what_is_not_as_it_was_written_is_one_line(
    folder: RunFolder, content: bytes, reason: str
) -> None:
    folder.confusion_path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        folder.confusions()
    message = str(refused.value)
    assert str(folder.confusion_path) in message
    assert reason in message
    assert "start the sweep again" in message
    assert "\n" not in message


@pytest.mark.parametrize("place", range(0, len(WHOLE), 61))
def test_no_flipped_bits_stop_anything(folder: RunFolder, place: int) -> None:
    """Whatever they change, the outcome is a value that keeps the rules, or a StoreError."""
    content = bytearray(WHOLE)
    content[place] ^= 0x5A
    folder.confusion_path.write_bytes(content)
    with suppress(StoreError):
        found = folder.confusions()
        assert found.counts.shape == (len(found.names), 4)
        assert found.counts.min() >= 0


def test_a_missing_file_is_named(folder: RunFolder) -> None:
    folder.confusion_path.unlink()
    with pytest.raises(StoreError, match=r"confusion\.parquet is missing; start the sweep again"):
        folder.confusions()


def test_links_and_pipes_are_not_read(folder: RunFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder.confusion_path.rename(elsewhere)
    folder.confusion_path.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="it is a link, not a file"):
        folder.confusions()
    folder.confusion_path.unlink()
    os.mkfifo(folder.confusion_path)
    with pytest.raises(StoreError, match="it is a FIFO, not a file"):
        folder.confusions()
    folder.confusion_path.unlink()
    folder.confusion_path.mkdir()
    with pytest.raises(StoreError, match="it is a folder, not a file"):
        folder.confusions()
