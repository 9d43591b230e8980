"""Splits of one data set by their number."""

import pytest

from ablate.errors import BadInput
from ablate.spec import (
    FoldersSplit,
    HoldoutSplit,
    InnerSplit,
    KFoldSplit,
    ListsSplit,
    Split,
    numbered,
    split_text,
)

HOLDOUT = HoldoutSplit(kind="holdout", seed=42, validation_share=0.3, rounding="floor")


def inner(of: HoldoutSplit | ListsSplit) -> InnerSplit:
    return InnerSplit(kind="inner", of=of, validation_share=0.5, seed=7)


@pytest.mark.parametrize("split", [HOLDOUT, ListsSplit(kind="lists"), inner(HOLDOUT)])
def test_split_0_is_the_split_itself(split: Split) -> None:
    assert numbered(split, 0) is split


def test_another_number_is_another_shuffle() -> None:
    assert numbered(HOLDOUT, 3) == HOLDOUT.model_copy(update={"seed": 45})
    assert numbered(inner(HOLDOUT), 3) == inner(HOLDOUT.model_copy(update={"seed": 45}))


@pytest.mark.parametrize(
    "split",
    [ListsSplit(kind="lists"), FoldersSplit(kind="folders"), inner(ListsSplit(kind="lists"))],
)
def test_given_parts_have_no_other_number(split: Split) -> None:
    with pytest.raises(BadInput, match=r"the parts are given .* one split only; omit --splits, or"):
        numbered(split, 1)


def test_a_seed_that_would_be_too_large_is_refused() -> None:
    last = HOLDOUT.model_copy(update={"seed": 2**32 - 1})
    with pytest.raises(BadInput, match=r"split 1 would be drawn with seed 4294967296, which is"):
        numbered(last, 1)


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (HOLDOUT, "seed 42"),
        (inner(HOLDOUT), "seed 42"),
        (KFoldSplit(kind="kfold", folds=5, seed=1, fold=2), "fold 2 of 5, counted from 0"),
        (ListsSplit(kind="lists"), "as given"),
    ],
)
def test_what_tells_splits_apart(split: Split, text: str) -> None:
    assert split_text(split) == text
