"""Boundary IoU and small objects, against counts that are made by hand."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.metrics import Confusion, scores
from ablate.metrics.formulas import MASK_FORMULAS
from ablate.metrics.masks import boundary_counts, count_images, counted_names, small_objects
from ablate.spec import MASK_METRIC_NAMES, METRIC_NAMES, Task

Mask = npt.NDArray[np.bool_]
TASK = Task(positive_class="water", metrics=("miou", "boundary_iou", "small_object_recall"))


def eroded(mask: Mask) -> Mask:
    """One erosion by 3×3; beyond the image is background."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    near = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_and.reduce(near)


def boundary(mask: Mask, width: float) -> Mask:
    """As the authors' code makes it: erosions by 3×3, as many as the distance has pixels."""
    distance = max(1, round(width * float(np.hypot(*mask.shape))))
    inner = mask
    for _ in range(distance):
        inner = eroded(inner)
    return mask & ~inner


def random_masks(seed: int, height: int, width: int) -> tuple[Mask, Mask]:
    """Two masks of blocks of four pixels, which are often alike."""
    random = np.random.default_rng(seed)
    blocks = random.random((2, height // 4 + 1, width // 4 + 1)) < (0.8, 0.5)[seed % 2]
    first, second = blocks.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return first, np.where(random.random((height, width)) < 0.7, first, second)


def as_batch(*masks: Mask) -> torch.Tensor:
    return torch.from_numpy(np.stack(masks))[:, None]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000), st.integers(3, 40), st.integers(3, 40), st.sampled_from([0.02, 0.1, 0.6])
)
def test_boundaries_are_those_of_the_authors_recipe(
    seed: int, height: int, width: int, share: float
) -> None:
    predicted, actual = random_masks(seed, height, width)
    first, second = boundary(predicted, share), boundary(actual, share)
    expected = (int((first & second).sum()), int((first | second).sum()))
    empty = np.zeros_like(actual)
    found = boundary_counts(as_batch(predicted, empty), as_batch(actual, actual), share)
    assert found == [expected, (0, int(second.sum()))]


def test_a_boundary_is_as_wide_as_declared() -> None:
    square = np.zeros((1, 1, 100, 100), dtype=np.bool_)
    square[..., 20:80, 20:80] = True
    mask = torch.from_numpy(square)
    # 2 % of a diagonal of 141 pixels are 3 pixels.
    assert boundary_counts(mask, mask, 0.02) == [(60**2 - 54**2,) * 2]
    assert boundary_counts(mask, mask, 0.5) == [(60**2,) * 2]


def test_small_objects_are_found_by_their_own_pixels() -> None:
    actual = np.zeros((20, 20), dtype=np.bool_)
    actual[0:2, 0:2] = True  # found whole
    actual[5:7, 5:7] = True  # half of it
    actual[10:12, 10:12] = True  # a quarter
    actual[2, 2] = True  # belongs to the first by its corner
    actual[14:20, 14:20] = True  # large
    predicted = np.zeros_like(actual)
    predicted[0:3, 0:9] = True
    predicted[5, 5:7] = True
    predicted[10, 10] = True
    assert small_objects(predicted, actual, 36, 0.5) == (2, 3)
    assert small_objects(predicted, actual, 37, 0.5) == (2, 4)
    assert small_objects(predicted, actual, 5, 0.5) == (1, 2)
    assert small_objects(predicted, actual, 36, 0.25) == (3, 3)
    assert small_objects(predicted, actual, 36, 1.0) == (1, 3)
    assert small_objects(predicted, np.zeros_like(actual), 36, 0.5) == (0, 0)


def test_a_task_counts_what_it_names() -> None:
    predicted, actual = random_masks(1, 30, 30)
    logits, masks = as_batch(predicted).float() - 0.5, as_batch(actual).float()
    for metrics in (("miou",), ("boundary_iou",), ("small_object_recall",), TASK.metrics):
        task = TASK.model_copy(update={"metrics": metrics})
        (counted,) = count_images(logits, masks, task)
        assert tuple(counted.cells) == counted_names(task)
        named = {name for name in MASK_METRIC_NAMES if name in metrics}
        assert scores(counted).keys() == {*METRIC_NAMES, *named}
    assert tuple(MASK_FORMULAS) == MASK_METRIC_NAMES


def test_counts_are_pooled_over_images_before_they_are_divided() -> None:
    pooled = Confusion.none()
    for counts in ((1, 2, 3, 3), (0, 8, 0, 1)):
        pooled += Confusion(1, 1, 1, 1, *counts)
    assert scores(pooled)["boundary_iou"] == pytest.approx(0.1)
    assert scores(pooled)["small_object_recall"] == pytest.approx(0.75)
    assert scores(Confusion(1, 1, 1, 1, 0, 0, 0, 0))["boundary_iou"] == 0


def test_the_threshold_is_the_tasks() -> None:
    logits = torch.full((1, 1, 8, 8), 1.0)
    task = TASK.model_copy(update={"threshold": 0.9})
    (counted,) = count_images(logits, torch.ones(1, 1, 8, 8), task)
    assert (counted.tp, counted.boundary_both, counted.small_found) == (0, 0, 0)
