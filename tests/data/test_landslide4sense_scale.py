from pathlib import Path

import h5py
import numpy as np
import pytest

from ablate.data import open_images
from ablate.data.checking import ClippedImages
from ablate.errors import DataError
from ablate.spec import Landslide4SenseData

DATA = Landslide4SenseData(kind="landslide4sense", scale=25.5)


def write(root: Path, images: list[np.ndarray]) -> Path:
    """The genuine layout: float64 of 128x128x14 and masks of 128x128."""
    for folder in ("img", "mask"):
        (root / "TrainData" / folder).mkdir(parents=True, exist_ok=True)
    for number, values in enumerate(images, start=1):
        with h5py.File(root / f"TrainData/img/image_{number}.h5", "w") as file:
            file["img"] = values.astype(np.float64)
        with h5py.File(root / f"TrainData/mask/mask_{number}.h5", "w") as file:
            file["mask"] = np.ones((128, 128), np.uint8)
    return root


def images() -> list[np.ndarray]:
    """Two images of ones, with the values that were seen in genuine files."""
    first, second = (np.ones((128, 128, 14)) for _ in range(2))
    first[0, 0, 9] = 50.3  # no colour
    first[0, :5, 3] = (6.92, 10.0, 10.01, 50.3, -0.5)
    second[7, :3, 3] = 12.0
    second[7, 0, 1] = 0.25
    return [first, second]


def test_what_the_scale_puts_beyond_a_byte_is_counted(tmp_path: Path) -> None:
    """10.01 · 25.5 is still the byte 255; 50.3, 12 and -0.5 are not to be told from their ends."""
    values = 3 * 128 * 128
    opened = open_images(DATA, write(tmp_path, images()))
    assert isinstance(opened, ClippedImages)
    assert [opened.clipped(index) for index in (0, 1)] == [(2, values), (3, values)]
    halved = open_images(DATA.model_copy(update={"scale": 5.0}), tmp_path)
    assert isinstance(halved, ClippedImages)
    assert [halved.clipped(index) for index in (0, 1)] == [(1, values), (0, values)]


def test_values_as_large_as_in_genuine_files_are_read(tmp_path: Path) -> None:
    rgb, _ = open_images(DATA, write(tmp_path, images())).load(0)
    assert rgb[0, :5, 0].tolist() == [176, 255, 255, 255, 0]
    assert rgb[1:].min() == rgb[1:].max() == 25


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    first, second = images()
    second[1, 1, 2] = value
    opened = open_images(DATA, write(tmp_path, [first, second]))
    with pytest.raises(DataError, match=r"image_2\.h5 holds NaN or infinite values"):
        opened.load(1)
