"""Images of the sizes of a data set's, in files; what draws ablate's own scenes needs SciPy."""

from pathlib import Path

import numpy as np
from PIL import Image

# How a protocol is told of them.
FOLDERS = "data={kind: folders, images: images, masks: masks}"
SIDES_PX = (200, 500)


def write_images(root: Path, count: int) -> None:
    """Random pixels, brighter in a rectangle, which is the positive class."""
    numbers = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        height, width = numbers.integers(*SIDES_PX, 2)
        top, left = numbers.integers(0, height // 2), numbers.integers(0, width // 2)
        mask = np.zeros((height, width), np.uint8)
        mask[top : top + height // 3, left : left + width // 3] = 255
        pixels = numbers.integers(0, 160, (height, width, 3), dtype=np.uint8)
        pixels += mask[..., None] // 3
        Image.fromarray(pixels).save(root / "images" / f"{index:03d}.png")
        Image.fromarray(mask).save(root / "masks" / f"{index:03d}.png")
