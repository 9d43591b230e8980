from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.data import split
from ablate.errors import DataError
from ablate.spec import HoldoutSplit

Rounding = Literal["floor", "floor-plus-one"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)


def holdout(rounding: Rounding, seed: int = 42, share: float = 0.3) -> HoldoutSplit:
    return HoldoutSplit(kind="holdout", seed=seed, validation_share=share, rounding=rounding)


@pytest.mark.parametrize(
    ("count", "rounding", "sizes"),
    [
        (770, "floor", (539, 231)),
        (770, "floor-plus-one", (538, 232)),
        (3799, "floor", (2660, 1139)),
        (3799, "floor-plus-one", (2659, 1140)),
        (600, "floor", (420, 180)),
        (600, "floor-plus-one", (419, 181)),
    ],
)
def test_the_data_sets_are_split_as_in_the_paper_and_in_its_code(
    count: int, rounding: Rounding, sizes: tuple[int, int]
) -> None:
    train, validation = split(count, holdout(rounding))
    assert (len(train), len(validation)) == sizes


def test_both_roundings_shuffle_alike() -> None:
    few, more = (split(770, holdout(rounding))[1] for rounding in ROUNDINGS)
    assert more[:4] == [670, 753, 727, 582]
    assert more[:-1] == few


@given(
    count=st.integers(0, 300),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1, exclude_min=True, exclude_max=True),
    rounding=st.sampled_from(ROUNDINGS),
)
def test_every_image_is_on_one_side_and_no_side_is_empty(
    count: int, seed: int, share: float, rounding: Rounding
) -> None:
    expected = int(share * count) + (rounding == "floor-plus-one")
    spec = holdout(rounding, seed, share)
    if not 0 < expected < count:
        with pytest.raises(DataError, match=f"of {count} images, validation_share"):
            split(count, spec)
        return
    train, validation = split(count, spec)
    assert len(validation) == expected
    assert sorted(train + validation) == list(range(count))
    assert all(type(index) is int for index in train + validation)


def test_the_split_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].tolist()
    split(100, holdout("floor"))
    assert np.random.get_state()[1].tolist() == before
