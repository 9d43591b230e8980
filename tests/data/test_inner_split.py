"""The inner split: training images of another split, split once more."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.data import identify, open_images
from ablate.data.splitting import parts
from ablate.errors import DataError
from ablate.spec import FoldersSplit, HoldoutSplit, InnerSplit, ListsSplit, Split
from ablate.spec.protocol import GeneratedData


def holdout(seed: int = 42) -> HoldoutSplit:
    return HoldoutSplit(kind="holdout", seed=seed, validation_share=0.3, rounding="floor")


def inner(of: Split, share: float = 0.3, seed: int = 0) -> InnerSplit:
    return InnerSplit(kind="inner", of=of, validation_share=share, seed=seed)


@given(
    count=st.integers(8, 200),
    outer_seed=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.3, 0.9),
)
def test_no_outer_validation_image_is_in_it(
    count: int, outer_seed: int, seed: int, share: float
) -> None:
    names = [f"image-{index}" for index in range(count)]
    outer = holdout(outer_seed)
    outer_train, outer_validation, _ = parts(names, outer, None)
    train, validation, _ = parts(names, inner(outer, share, seed), None)
    assert sorted(train + validation) == sorted(outer_train)
    assert not {*train, *validation} & set(outer_validation)
    assert len(validation) == int(share * len(outer_train))


def test_of_folders_and_lists_too(tmp_path: Path) -> None:
    names = [f"{part}/{letter}" for part in ("train", "val", "test") for letter in "abcdef"]
    train, validation, _ = parts(names, inner(FoldersSplit(kind="folders")), None)
    assert {names[index][:6] for index in train + validation} == {"train/"}
    assert (len(train), len(validation)) == (5, 1)
    (tmp_path / "train.txt").write_text("\n".join(names[:4]))
    (tmp_path / "val.txt").write_text("\n".join(names[6:9]))
    train, validation, _ = parts(names, inner(ListsSplit(kind="lists")), tmp_path)
    assert sorted(train + validation) == [0, 1, 2, 3]
    assert len(validation) == 1


def test_an_edited_list_is_another_data_set(tmp_path: Path) -> None:
    images = open_images(GeneratedData(kind="generated", seed=1, count=10, size_px=32), None)
    (tmp_path / "val.txt").write_text("\n".join(images.names[8:]))
    digests = set()
    for count in (7, 8):
        (tmp_path / "train.txt").write_text("\n".join(images.names[:count]))
        identity = identify(images, inner(ListsSplit(kind="lists"), 0.5), tmp_path)
        digests.add(identity.digest)
    assert len(digests) == 2


def test_too_few_training_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"of 2 training images, an inner validation_share of 0\.3"):
        parts(["a", "b", "c"], inner(holdout().model_copy(update={"validation_share": 0.4})), None)
