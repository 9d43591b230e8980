"""Landslide4Sense on disk, as it is published."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from ablate.data import open_images
from ablate.errors import DataError
from ablate.spec import Landslide4SenseData

DATA = Landslide4SenseData(kind="landslide4sense", scale=25.5)
LAYOUTS = [
    ("TrainData/img", "TrainData/mask"),
    ("TrainData/images", "TrainData/annotations"),
    ("images/train", "annotations/train"),
]


def values(number: int) -> np.ndarray:
    """Shape 128x128x14; channel c holds c and a little more."""
    noise = np.random.default_rng(number).random((128, 128, 14))
    return np.arange(14) + 0.9 * noise


def labels(number: int) -> np.ndarray:
    """Shape 128x128; the mask of number 1 is empty."""
    mask = np.zeros((128, 128), np.uint8)
    mask[: number - 1, :5] = 1
    return mask


def write(path: Path, key: str, array: np.ndarray, **options: object) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=array, **options)


def write_set(
    root: Path, numbers: tuple[int, ...] = (1, 2, 10), layout: tuple[str, str] = LAYOUTS[0]
) -> Path:
    images, masks = (root / name for name in layout)
    for folder in (images, masks):
        folder.mkdir(parents=True)
    for number in numbers:
        write(images / f"image_{number}.h5", "img", values(number))
        write(masks / f"mask_{number}.h5", "mask", labels(number))
    return root


def refusal(root: Path) -> str:
    """What loading the first image says."""
    images = open_images(DATA, root)
    with pytest.raises(DataError) as caught:
        images.load(0)
    line = str(caught.value)
    assert "\n" not in line
    assert "; " in line
    return line
