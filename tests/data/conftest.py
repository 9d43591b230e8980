from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from landslide4sense_files import write_set
from PIL import Image

from ablate.spec import ColorJitter, Protocol

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture
def samples() -> Path:
    """The folder of real samples; they are no part of the project."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip(f"the real samples are not at {path}")
    return path


@pytest.fixture
def write_pairs() -> Callable[..., Path]:
    def write(
        root: Path,
        names: tuple[str, ...] = ("a", "b", "c"),
        images: str = "images",
        masks: str = "masks",
        size: tuple[int, int] = (12, 9),
    ) -> Path:
        for folder in (root / images, root / masks):
            folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3))
            mask = np.zeros((size[1], size[0]), np.uint8)
            mask[: 1 + number % size[1], :3] = 255
            Image.fromarray(pixels.astype(np.uint8)).save(root / images / f"{name}.png")
            Image.fromarray(mask).save(root / masks / f"{name}.png")
        return root

    return write


@pytest.fixture
def make_protocol() -> Callable[..., Protocol]:
    """Protocols with no more than what batches depend on."""

    def make(jitter: ColorJitter | None = None, batch_size: int = 3) -> Protocol:
        return Protocol.model_construct(
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            color_jitter=jitter,
            batch_size=batch_size,
        )

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "L4S")


@pytest.fixture
def image(root: Path) -> Path:
    """The file of the first image."""
    return root / "TrainData/img/image_1.h5"


@pytest.fixture
def mask(root: Path) -> Path:
    """The file of the first mask."""
    return root / "TrainData/mask/mask_1.h5"
