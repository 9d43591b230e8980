"""Splits that the authors of a data set made: lists of names, and folders."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ablate.data import Parts, identify
from ablate.data.images import Image, Mask
from ablate.data.splitting import parts
from ablate.errors import DataError
from ablate.spec import FoldersSplit, ListsSplit

NAMES = ("a", "b", "c.1", "d", "e")
LISTS = ListsSplit(kind="lists")


class Named:
    """A data set that is only named."""

    label = "Named"
    names = NAMES

    def load(self, index: int) -> tuple[Image, Mask]:
        raise NotImplementedError

    def digest(self) -> str:
        return "0" * 64


def write(root: Path, **lists: str) -> Path:
    for name, text in lists.items():
        (root / f"{name}.txt").write_text(text)
    return root


def test_lists_are_names_or_files_and_the_rest_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, train="\ufeff b\n\nimages/a.jpg\r\n", val="c.1\nmasks\\d.png")
    assert parts(NAMES, LISTS, tmp_path) == Parts([0, 1], [2, 3])


def test_accents_are_compared_in_one_form(tmp_path: Path) -> None:
    write(tmp_path, train="e\u0301.png", val="\u00fc")
    assert parts(("\u00e9", "u\u0308"), LISTS, tmp_path) == Parts([0], [1])


def test_names_with_folders_are_listed_with_them(tmp_path: Path) -> None:
    write(tmp_path, train="x/a.png", val="y/a")
    assert parts(("x/a", "y/a"), LISTS, tmp_path) == Parts([0], [1])


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train": "a"}, r"there is no split list .*val\.txt; write it"),
        ({"train": "a", "val": " \n"}, r"the list .*val\.txt is empty; write one name a line"),
        ({"train": "a", "val": "x\ny\nb"}, r"2 of 3 names in .*val\.txt are no .*\(x, y\)"),
        ({"train": "a\nb", "val": "b"}, r"1 image in both train\.txt and val\.txt \(b\)"),
        ({"train": "a", "val": "d.2"}, r"1 of 1 names in .*val\.txt are no images .*\(d\.2\)"),
        ({"train": "a\na.png", "val": "b"}, r"train\.txt names an image more than once \(a, a\.p"),
    ],
)
def test_bad_lists_are_one_line(tmp_path: Path, lists: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        parts(NAMES, LISTS, write(tmp_path, **lists))
    assert "\n" not in str(caught.value)


def test_what_is_no_text_is_no_list(tmp_path: Path) -> None:
    write(tmp_path, val="b")
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"train\.txt cannot be read \(it is not text in UTF-8\)"):
        parts(NAMES, LISTS, tmp_path)
    with pytest.raises(DataError, match=r"\.\./train\.txt is not below the data's root"):
        parts(NAMES, ListsSplit(kind="lists", train="../train.txt"), tmp_path)
    with pytest.raises(DataError, match="there is none; give --data"):
        parts(NAMES, LISTS, None)


def test_a_test_list_is_a_part_of_its_own(tmp_path: Path) -> None:
    with_test = ListsSplit(kind="lists", test="test.txt")
    write(tmp_path, train="a", val="b", test="d\ne")
    assert parts(NAMES, with_test, tmp_path) == Parts([0], [1], [3, 4])
    write(tmp_path, test="a\ne")
    with pytest.raises(DataError, match=r"in both train\.txt and test\.txt \(a\); leave each in"):
        parts(NAMES, with_test, tmp_path)


def test_an_edited_list_is_another_run_and_its_order_is_not(tmp_path: Path) -> None:
    identity = identify(Named(), LISTS, write(tmp_path, train="a\nb", val="d"))
    assert (identity.train, identity.validation) == (2, 1)
    again = identify(Named(), LISTS, write(tmp_path, train="b\na.png", val="d"))
    assert again == identity
    edited = identify(Named(), LISTS, write(tmp_path, train="a\nb", val="e"))
    swapped = identify(Named(), LISTS, write(tmp_path, train="e", val="a\nb"))
    assert len({identity.digest, edited.digest, swapped.digest, Named().digest()}) == 4


def test_folders_are_parts() -> None:
    names = ("test/a", "train/a", "train/b", "val/a", "trainer/a")
    ready = FoldersSplit(kind="folders")
    assert parts(names, ready, None) == Parts([1, 2], [3])
    other = FoldersSplit(kind="folders", validation="test")
    assert parts(names, other, None) == Parts([1, 2], [0])
    with pytest.raises(DataError, match=r"val of split\.validation: they lie in test, train"):
        parts(names[:3], ready, None)
    with pytest.raises(DataError, match=r"train of split\.train: data\.image has no \{folder\}"):
        parts(NAMES, ready, None)
    with pytest.raises(ValidationError, match="the same folder, train"):
        FoldersSplit(kind="folders", validation="train")
