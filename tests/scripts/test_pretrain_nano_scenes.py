import numpy as np
import pytest

from ablate.data.generated import scene as landslide_scene
from scripts.pretrain_nano.pool import kept, painted
from scripts.pretrain_nano.scenes import SIZE_PX, SMALLEST_PX, masks_of, scene


def saturation(image):
    """Spread of the channels relative to the strongest one, averaged over the image."""
    strongest = image.max(-1).astype(float)
    return ((strongest - image.min(-1)) / np.maximum(strongest, 1)).mean()


def test_a_scene_is_decided_by_seed_and_index():
    image, labels = scene(3, 5)
    again, labels_again = scene(3, 5)
    assert image.shape == (SIZE_PX, SIZE_PX, 3)
    assert image.dtype == labels.dtype == np.uint8
    assert (image == again).all()
    assert (labels == labels_again).all()
    assert (image != scene(3, 6)[0]).any()
    assert (image != scene(4, 5)[0]).any()


@pytest.mark.parametrize("index", range(8))
def test_masks_are_disjoint_and_none_is_too_small(index):
    _, labels = scene(11, index)
    masks = masks_of(labels)
    assert 2 <= len(masks) <= 12
    assert masks.sum(0).max() == 1
    assert masks.sum((1, 2)).min() >= SMALLEST_PX


def test_objects_hide_each_other():
    # Objects that are painted last are whole; what they lie on is cut into.
    counts = [len(masks_of(scene(11, index)[1])) for index in range(24)]
    assert len(set(counts)) > 3


def test_colours_are_not_those_of_the_landslide_scenes():
    source = [saturation(scene(11, index)[0]) for index in range(12)]
    target = [saturation(landslide_scene(2024, index, SIZE_PX)[0]) for index in range(12)]
    assert np.mean(source) > 1.5 * np.mean(target)


def test_a_pool_is_painted_once(tmp_path):
    first = kept(tmp_path, seed=2, count=3)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = kept(tmp_path, seed=2, count=3)
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(written) == 2
    fresh = painted(2, 3)
    for pool in (first, second):
        assert (pool.images == fresh.images).all()
        assert (pool.labels == fresh.labels).all()
