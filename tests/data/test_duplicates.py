import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage

from ablate.data import detect, open_images
from ablate.data.duplicates import (
    MAX_DISTANCE_BITS,
    exact_groups,
    fingerprint,
    near_groups,
    source_groups,
    source_of,
)
from ablate.data.generated import scene


def scenes(count: int) -> list[np.ndarray]:
    return [scene(7, index, 96)[0] for index in range(count)]


def as_jpeg(image: np.ndarray) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="JPEG", quality=30)
    return np.asarray(Image.open(content))


def resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((61, 70)))


def brightened(image: np.ndarray) -> np.ndarray:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(image)).enhance(1.2))


def in_groups(images: list[np.ndarray]) -> tuple[list[list[int]], list[list[int]]]:
    prints = {index: fingerprint(image) for index, image in enumerate(images)}
    return exact_groups(prints), near_groups(prints)


def test_different_scenes_are_not_alike() -> None:
    assert in_groups(scenes(60)) == ([], [])


def test_equal_pixels_are_one_group_and_not_a_near_one() -> None:
    images = scenes(4)
    assert in_groups([*images, images[1].copy(), images[1].copy()]) == ([[1, 4, 5]], [])


def test_equal_bytes_of_another_shape_are_not_equal() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert fingerprint(image).pixels != fingerprint(image.reshape(30, 20, 3)).pixels


@pytest.mark.parametrize(
    "copy",
    [as_jpeg, resized, brightened, np.fliplr, np.flipud, np.rot90, np.transpose],
    ids=lambda copy: copy.__name__,
)
def test_an_altered_copy_is_near_its_original_alone(copy) -> None:  # type: ignore[no-untyped-def]
    images = scenes(20)
    altered = images[3].transpose(1, 0, 2) if copy is np.transpose else copy(images[3])
    assert in_groups([*images, np.ascontiguousarray(altered)]) == ([], [[3, 20]])


def test_a_near_group_holds_the_exact_copies_of_its_members() -> None:
    images = scenes(3)
    exact, near = in_groups([*images, as_jpeg(images[0]), images[0].copy()])
    assert (exact, near) == ([[0, 4]], [[0, 3, 4]])


def test_flat_images_are_not_alike_only_because_they_are_flat() -> None:
    grey = [np.full((40, 40, 3), level, np.uint8) for level in (60, 61, 200)]
    assert in_groups(grey) == ([], [])


def test_one_image_or_none_has_no_copies() -> None:
    assert in_groups([]) == ([], [])
    assert in_groups(scenes(1)) == ([], [])


def test_smooth_scenes_are_told_apart() -> None:
    """Little detail is what makes hashes of different images meet."""
    blurred = [ndimage.gaussian_filter(image, (4, 4, 0)) for image in scenes(40)]
    assert in_groups(blurred) == ([], [])


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tile12_03", "tile12"),
        ("tile12_r3_c04", "tile12_r3"),
        ("tile12_03_aug", "tile12"),
        ("train/tile12_03", "tile12"),
        ("scene 7 (2)", "scene 7"),
        ("S2_20200101_T31_004", "S2_20200101_T31"),
        ("df002", None),
        ("image_12", None),
        ("slide", None),
    ],
)
def test_a_source_is_the_name_before_its_last_number(name: str, source: str | None) -> None:
    assert source_of(name) == source


def test_sources_group_the_names_that_have_one() -> None:
    names = ("tile1_1", "tile2_1", "tile1_2", "lonely", "tile3_1")
    assert source_groups(names) == [[0, 2]]


def test_one_source_of_all_names_says_nothing() -> None:
    assert source_groups(("bijie2020_1", "bijie2020_2", "bijie2020_3")) == []


def test_the_images_of_the_bijie_set_are_all_different(samples: Path) -> None:
    root = samples / "bijie-full" / "Bijie-landslide-dataset"
    if not root.is_dir():
        pytest.skip(f"the whole Bijie data set is not at {root}")
    images = open_images(detect(root), root)
    prints = {index: fingerprint(images.load(index)[0]) for index in range(len(images.names))}
    assert exact_groups(prints) == near_groups(prints) == []
    hashes = np.stack([each.hashes for each in prints.values() if each.hashes is not None])
    assert len(hashes) == 770
    closest = min(
        int(np.bitwise_count(hashes[index + 1 :] ^ upright).sum(axis=2).min())
        for index, upright in enumerate(hashes[:-1, 0])
    )
    # The margin that the docstring of the module states.
    assert closest == 72 > MAX_DISTANCE_BITS
