"""Folds, groups and test parts: splits that are drawn by a seed."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ablate.data import identify, open_images
from ablate.data.drawing import draw, drawn_sizes
from ablate.data.splitting import parts
from ablate.errors import BadInput, DataError
from ablate.spec import (
    GeneratedData,
    GroupsSplit,
    HeldOutTest,
    HoldoutSplit,
    InnerSplit,
    KFoldSplit,
    Split,
    numbered,
)

HOLDOUT = HoldoutSplit(kind="holdout", seed=42, validation_share=0.3, rounding="floor")
FOLDS = KFoldSplit(kind="kfold", folds=5, seed=1)
GROUPS = GroupsSplit(kind="groups", pattern="^(?P<group>[a-z]+)-", validation_share=0.3, seed=0)
TEST = HeldOutTest(share=0.2, seed=3)
# Six regions of one to six images.
NAMES = tuple(f"{region}-{n}" for size, region in enumerate("abcdef", 1) for n in range(size))


def with_test(split: Split) -> Split:
    return split.model_copy(update={"test": TEST})


def by_file(root: Path, text: str) -> GroupsSplit:
    (root / "groups.csv").write_text(text)
    return GroupsSplit(kind="groups", file="groups.csv", validation_share=0.5, seed=0)


@given(count=st.integers(5, 300), folds=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_every_image_validates_in_one_fold(count: int, folds: int, seed: int) -> None:
    names = [str(number) for number in range(count)]
    declared = KFoldSplit(kind="kfold", folds=folds, seed=seed)
    found = [parts(names, numbered(declared, number), None) for number in range(folds)]
    assert sorted(index for each in found for index in each.validation) == list(range(count))
    sizes = [len(each.validation) for each in found]
    assert max(sizes) - min(sizes) <= 1
    for each in found:
        assert sorted([*each.train, *each.validation]) == list(range(count))
        assert each.test == []


@given(
    count=st.integers(0, 60),
    share=st.floats(0.01, 0.99),
    test=st.none() | st.floats(0.01, 0.99),
    folds=st.integers(2, 5),
    fold=st.integers(0, 4),
)
def test_the_sizes_of_parts_are_told_without_drawing_them(
    count: int, share: float, test: float | None, folds: int, fold: int
) -> None:
    held_out = None if test is None else HeldOutTest(share=test, seed=3)
    splits: list[HoldoutSplit | KFoldSplit] = [
        HOLDOUT.model_copy(
            update={"validation_share": share, "rounding": rounding, "test": held_out}
        )
        for rounding in ("floor", "floor-plus-one")
    ]
    folded = KFoldSplit(kind="kfold", folds=folds, fold=fold % folds, seed=1, test=held_out)
    for declared in [*splits, folded]:
        try:
            sizes = tuple(map(len, draw(count, declared)))
        except DataError as error:
            with pytest.raises(DataError, match=f"^{re.escape(str(error))}$"):
                drawn_sizes(count, declared)
        else:
            assert drawn_sizes(count, declared) == sizes


def test_there_are_as_many_splits_as_folds() -> None:
    second = FOLDS.model_copy(update={"fold": 1})
    assert numbered(second, 4) == FOLDS
    with pytest.raises(BadInput, match=r"5 folds give 5 splits and no more; ask for 5 splits at"):
        numbered(FOLDS, 5)
    with pytest.raises(ValidationError, match="fold 5 is not one of 5, which are counted from 0"):
        KFoldSplit(kind="kfold", folds=5, seed=0, fold=5)
    with pytest.raises(DataError, match=r"3 images cannot be cut into 5 folds; add images or"):
        parts("abc", FOLDS, None)


@pytest.mark.parametrize("split", [HOLDOUT, FOLDS, GROUPS])
def test_all_splits_have_the_same_test_images(
    split: HoldoutSplit | KFoldSplit | GroupsSplit,
) -> None:
    found = [parts(NAMES, numbered(with_test(split), number), None) for number in range(4)]
    assert len({tuple(each.test) for each in found}) == 1
    assert len({tuple(each.validation) for each in found}) > 1
    for each in found:
        assert sorted([*each.train, *each.validation, *each.test]) == list(range(len(NAMES)))
        assert len(each.test) == 4


def test_a_split_without_a_test_part_is_as_it_was() -> None:
    assert "test" not in HOLDOUT.model_dump(mode="json")
    assert parts(NAMES, HOLDOUT, None).validation == [0, 17, 15, 1, 8, 5]


def test_a_test_part_without_images_is_refused() -> None:
    huge = GROUPS.model_copy(update={"pattern": "(?P<group>[ab])", "test": TEST})
    with pytest.raises(
        DataError, match=r"2 groups of 9 images, .* a test\.share of 0\.2: one part"
    ):
        parts([f"{'ab'[number > 3]}{number}" for number in range(9)], huge, None)
    with pytest.raises(DataError, match=r"of 3 images, a test share of 0\.2 leaves none to test"):
        parts("abc", with_test(HOLDOUT), None)


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.2, 0.8))
def test_groups_stay_together(seed: int, share: float) -> None:
    declared = GROUPS.model_copy(update={"seed": seed, "validation_share": share})
    found = parts(NAMES, declared, None)
    regions = [{NAMES[index][0] for index in part} for part in found]
    assert not regions[0] & regions[1]
    # The largest group has six images.
    assert abs(len(found.validation) - share * len(NAMES)) <= 6


def test_groups_stay_together_in_an_inner_split_and_in_the_test_part() -> None:
    outer = with_test(GROUPS)
    assert isinstance(outer, GroupsSplit)
    inner = InnerSplit(kind="inner", of=outer, validation_share=0.4, seed=0)
    found, outside = parts(NAMES, inner, None), parts(NAMES, outer, None)
    assert sorted([*found.train, *found.validation]) == sorted(outside.train)
    regions = [
        {NAMES[index][0] for index in part}
        for part in (found.train, found.validation, outside.validation, outside.test)
    ]
    assert sum(map(len, regions)) == len(set.union(*regions)) == 6


def test_a_file_names_the_groups(tmp_path: Path) -> None:
    names = ("x/a", "x/b", "c", "d")
    text = "\ufeffimage,group\nx/a.png, north\n\nx/b,north\nc,south\n d.tif ,south\n"
    found = parts(names, by_file(tmp_path, text), tmp_path)
    assert sorted((tuple(found.train), tuple(found.validation))) == [(0, 1), (2, 3)]
    tabs = text.replace(",", "\t")
    assert parts(names, by_file(tmp_path, tabs), tmp_path) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1\nb,2", r"groups\.csv names no group of 2 images of 4 \(c, d\); add a line for each"),
        ("a,1\nx,2", r"line 2 of .*groups\.csv: x is no image of the data set, whose images are"),
        ("a,1\na.png,2", r"groups\.csv puts a\.png into the groups 1 and 2; keep one of them"),
        ("a,1\nb", r"line 2 of .*groups\.csv is not an image and its group \(b\); write image,gro"),
        ("a,1\nb,", r"line 2 of .*groups\.csv is not an image and its group \(b,\); write image,"),
        ("a,1\nb,1\nc,1\nd,1", r"1 group of 4 images, the largest of 4, cannot be divided by a va"),
        ("", r"groups\.csv names no group of 4 images of 4"),
        ('a,"' + "x" * 200_000, r"line 1 of .*groups\.csv cannot be read \(field larger than"),
    ],
)
def test_bad_files_of_groups_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        parts("abcd", by_file(tmp_path, text), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_of_groups_must_be_there_and_below_the_root(tmp_path: Path) -> None:
    declared = by_file(tmp_path, "a,1")
    with pytest.raises(DataError, match=r"there is none; give --data, or split\.pattern"):
        parts("ab", declared, None)
    (tmp_path / "groups.csv").unlink()
    with pytest.raises(DataError, match=r"there is no file of groups .*groups\.csv; write it, one"):
        parts("ab", declared, tmp_path)
    with pytest.raises(DataError, match=r"\.\./x is not below the data's root"):
        parts("ab", declared.model_copy(update={"file": "../x"}), tmp_path)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<group>[a-e]+)-", r"gives 6 images of 21 no group \(f-0, f-1, f-2, …\); let it fit"),
        ("(?P<group>x*)", r"gives 21 images of 21 no group"),
        ("(?P<group>[a-z)", r"cannot be used: missing \]: .*; give one \(\?P<group>…\) in RE2's"),
        ("(?P<group>.)(?=-)", r"cannot be used: invalid perl operator: \(\?="),
        ("(?P<group>(a|b)+)", r"cannot be used: .* unnamed groups"),
        ("(?P<group>(?:(?:a{1000}){1000}){1000})", r"cannot be used: invalid repetition size"),
    ],
)
def test_bad_patterns_are_one_line(pattern: str, message: str) -> None:
    declared = GROUPS.model_copy(update={"pattern": pattern})
    with pytest.raises(DataError, match=message) as caught:
        parts(NAMES, declared, None)
    assert "\n" not in str(caught.value)


def test_no_pattern_hangs() -> None:
    # Python's own re would need centuries for it.
    declared = GROUPS.model_copy(update={"pattern": "^(?P<group>(?:(?:a|aa)+)+)$"})
    names = ["a" * 200 + "b", "a" * 200, "b"]
    started = time.monotonic()
    with pytest.raises(DataError, match="gives 2 images of 3 no group"):
        parts(names, declared, None)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give file or pattern, and not both"),
        ({"file": "a", "pattern": "(?P<group>.)"}, "give file or pattern, and not both"),
        ({"pattern": "(.)"}, r"pattern \(\.\) has not exactly one \(\?P<group>…\)"),
        ({"pattern": "(?P<group>.)" * 2}, "has not exactly one"),
        ({"pattern": "(?P<group>.)" + "x" * 500}, "at most 500 characters"),
    ],
)
def test_groups_are_told_in_one_way(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GroupsSplit(kind="groups", validation_share=0.3, seed=0, **fields)


def test_edited_groups_are_another_run_and_the_order_of_lines_is_not(tmp_path: Path) -> None:
    images = open_images(GeneratedData(kind="generated", seed=1, count=4, size_px=32), None)
    a, b, c, d = images.names
    digests = [
        identify(images, by_file(tmp_path, "\n".join(lines)), tmp_path).digest
        for lines in (
            (f"{a},1", f"{b},1", f"{c},2", f"{d},2"),
            (f"{d},2", f"{c},2", f"{b},1", f"{a},1"),
            (f"{a},1", f"{b},2", f"{c},1", f"{d},2"),
        )
    ]
    assert digests[0] == digests[1] != digests[2]
