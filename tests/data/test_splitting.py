import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.data import split
from ablate.errors import DataError
from ablate.spec import Split

AUTHORS = Split(seed=42, validation_share=0.3)


def test_bijie_is_split_as_the_authors_split_it() -> None:
    train, validation = split(770, AUTHORS)
    assert (len(train), len(validation)) == (538, 232)
    assert validation[:4] == [670, 753, 727, 582]


def test_landslide4sense_is_split_as_the_authors_split_it() -> None:
    train, validation = split(3799, AUTHORS)
    assert (len(train), len(validation)) == (2659, 1140)


@given(
    count=st.integers(0, 300),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1, exclude_min=True, exclude_max=True),
)
def test_every_image_is_on_one_side_and_no_side_is_empty(
    count: int, seed: int, share: float
) -> None:
    wanted = Split(seed=seed, validation_share=share)
    if int(share * count) + 1 >= count:
        with pytest.raises(DataError, match=f"of {count} images, validation_share"):
            split(count, wanted)
        return
    train, validation = split(count, wanted)
    assert len(validation) == int(share * count) + 1
    assert sorted(train + validation) == list(range(count))
    assert all(type(index) is int for index in train + validation)


def test_the_split_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].tolist()
    split(100, AUTHORS)
    assert np.random.get_state()[1].tolist() == before


def test_a_seed_that_numpy_cannot_take() -> None:
    with pytest.raises(DataError, match=rf"split\.seed is {2**32}; give one below {2**32}"):
        split(10, Split(seed=2**32, validation_share=0.3))
