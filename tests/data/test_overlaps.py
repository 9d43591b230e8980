from pathlib import Path

import numpy as np
import pytest

from ablate.data import detect, open_images
from ablate.data.duplicates import fingerprint
from ablate.data.generated import scene
from ablate.data.leaks import leaks
from ablate.data.overlaps import overlapping_pairs, thumbnail
from ablate.data.split_parts import Parts

SCENES = [scene(11, index, 240)[0] for index in range(12)]


def pairs_of(images: list[np.ndarray]) -> list[tuple[int, int]]:
    return overlapping_pairs({index: thumbnail(image) for index, image in enumerate(images)})


def test_different_scenes_do_not_overlap() -> None:
    assert pairs_of(SCENES) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((slice(0, 160), slice(0, 160)), (slice(40, 200), slice(30, 190))),
        ((slice(0, 160), slice(70, 230)), (slice(60, 220), slice(20, 180))),
        ((slice(0, 240), slice(0, 240)), (slice(60, 220), slice(50, 210))),
    ],
    ids=["down and right", "down and left", "inside"],
)
def test_crops_of_one_scene_are_found(one: tuple[slice, slice], other: tuple[slice, slice]) -> None:
    crops = [image[:160, :160] for image in SCENES[1:]]
    assert pairs_of([SCENES[0][one], *crops, SCENES[0][other]]) == [(0, len(crops) + 1)]


def test_crops_that_touch_in_a_corner_are_not_worth_a_note() -> None:
    image = SCENES[0]
    crops = [image[:130, :130], image[100:230, 100:230], *(each[:130, :130] for each in SCENES[1:])]
    assert pairs_of(crops) == []


def test_flat_and_tiny_images_have_nothing_to_compare() -> None:
    flat = np.full((100, 100, 3), 90, np.uint8)
    tiny = np.zeros((3, 3, 3), np.uint8)
    assert pairs_of([flat, flat, tiny, tiny]) == []
    assert pairs_of([]) == pairs_of([flat]) == []


def test_overlaps_are_notes_and_copies_are_not_counted_again() -> None:
    prints = {index: fingerprint(SCENES[index % 4]) for index in range(5)}  # 4 is 0 again
    findings = leaks(
        ("a", "b", "c", "d", "e"), prints, [(0, 4), (1, 3), (2, 3)], Parts([0, 1], [2, 3])
    )
    kinds = {finding.kind: finding for finding in findings}
    assert list(kinds) == ["duplicates", "overlaps-across-split", "overlaps"]
    across = kinds["overlaps-across-split"]
    assert (across.severity, across.groups) == ("note", (("b", "d"),))
    assert "1 pair of overlapping images (2 images)" in across.message
    assert "1 of 2 validation images" in across.message
    assert kinds["overlaps"].groups == (("c", "d"),)


@pytest.mark.slow
def test_overlapping_images_of_the_bijie_set_are_neighbours(samples: Path) -> None:
    root = samples / "bijie-full" / "Bijie-landslide-dataset"
    if not root.is_dir():
        pytest.skip(f"the whole Bijie data set is not at {root}")
    images = open_images(detect(root), root)
    pairs = pairs_of([images.load(index)[0] for index in range(len(images.names))])
    # What the docstring of the module states.
    assert len(pairs) == 80
    for one, other in pairs:
        first, second = images.names[one], images.names[other]
        assert first.rstrip("0123456789") == second.rstrip("0123456789")
        assert abs(int(first[-3:]) - int(second[-3:])) <= 4
