import numpy as np
import pytest
from scipy import ndimage

from ablate.data import generated
from ablate.data.generated import scene
from ablate.data.terrain import raise_land

SIZE_PX = 64
SCENES = 64


@pytest.fixture(scope="module")
def scenes():
    pairs = [scene(0, index, SIZE_PX) for index in range(SCENES)]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def positive_iou(predicted, mask):
    return (predicted & mask).sum() / (predicted | mask).sum()


def test_a_scene_is_decided_by_its_arguments_alone():
    first_image, first_mask = scene(3, 7, 96)
    np.random.default_rng().random()
    scene(3, 8, 96)
    second_image, second_mask = scene(3, 7, 96)
    assert np.array_equal(first_image, second_image)
    assert np.array_equal(first_mask, second_mask)


@pytest.mark.parametrize("size_px", [32, 75, 128])
def test_shapes_and_types(size_px):
    image, mask = scene(0, 0, size_px)
    assert image.shape == (size_px, size_px, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert mask.shape == (size_px, size_px)
    assert mask.dtype == np.bool_


def test_index_and_seed_each_decide_the_scene():
    image, mask = scene(0, 1, SIZE_PX)
    for other_image, other_mask in (scene(0, 2, SIZE_PX), scene(1, 1, SIZE_PX)):
        assert np.abs(image.astype(int) - other_image).mean() > 5
        assert not np.array_equal(mask, other_mask)


def test_seed_and_index_are_not_interchangeable():
    assert not np.array_equal(scene(0, 1, SIZE_PX)[0], scene(1, 0, SIZE_PX)[0])


def test_every_scene_has_a_landslide_and_none_is_covered_by_it(scenes):
    _, masks = scenes
    shares = masks.mean(axis=(1, 2))
    assert shares.min() > 0.02
    assert shares.max() < 0.45


def test_landslides_take_about_the_share_of_a_real_data_set(scenes):
    _, masks = scenes
    assert 0.10 < masks.mean() < 0.18


def test_landslides_are_broad_enough_for_coarse_predictions(scenes):
    # A decoder with a quarter of the resolution cannot draw what is thinner than two of its cells.
    _, masks = scenes
    half_widths = [ndimage.distance_transform_edt(np.pad(mask, 1)).max() for mask in masks]
    assert min(half_widths) * 2 / SIZE_PX > 2 * 4 / 128


def test_scenes_use_the_range_of_brightness_without_clipping(scenes):
    images, _ = scenes
    per_scene = images.mean(axis=(1, 2, 3))
    assert per_scene.std() > 8
    assert np.isin(images, (0, 255)).mean() < 0.02


def test_brightness_alone_scores_badly(scenes):
    images, masks = scenes
    brightness = images.mean(axis=-1)
    brighter = max(positive_iou(brightness > level, masks) for level in range(0, 256, 4))
    darker = max(positive_iou(brightness < level, masks) for level in range(4, 257, 4))
    assert max(brighter, darker) < 0.35


def test_landslides_differ_from_their_surroundings(scenes):
    # The other side of the same coin: a scar that cannot be seen could not be learnt either.
    images, masks = scenes
    redness = images[..., 0].astype(float) - images[..., 1]
    inside = [redness[i][masks[i]].mean() for i in range(SCENES)]
    outside = [redness[i][~masks[i]].mean() for i in range(SCENES)]
    assert np.mean(np.array(inside) > np.array(outside)) > 0.9


def test_a_traced_path_runs_down_a_plane():
    rows, columns = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / SIZE_PX
    ground = 0.3 * rows - 0.4 * columns
    path = generated._trace_downslope(ground, np.array([[0.6, 0.2]]), np.array([0.5]))[0]
    assert path[-1] - path[0] == pytest.approx([-0.3, 0.4], abs=1e-6)


def test_landslides_start_high_and_end_low():
    for index in range(12):
        rng = np.random.default_rng([0, index])
        land = raise_land(rng, SIZE_PX)
        for scar in generated._release_scars(rng, land):
            head = (scar.inside > 0) & (scar.along < 0.2)
            foot = (scar.inside > 0) & (scar.along > 0.8)
            assert land.ground[head].mean() > land.ground[foot].mean()


def test_the_size_changes_the_sampling_and_not_the_landscape():
    overlaps = []
    for index in range(12):
        _, fine = scene(0, index, 2 * SIZE_PX)
        _, coarse = scene(0, index, SIZE_PX)
        pooled = fine.reshape(SIZE_PX, 2, SIZE_PX, 2).mean(axis=(1, 3)) > 0.5
        overlaps.append(positive_iou(pooled, coarse))
    # A near tie between two sites may fall either way, so a few scenes do differ.
    assert np.median(overlaps) > 0.8
