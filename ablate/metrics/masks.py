"""Counting what pixels alone do not tell: boundaries, and small objects. Imports torch.

``boundary_iou``: Boundary IoU (Cheng et al., CVPR 2021, arXiv 2103.16562): the pixels of a mask
within a distance d of its outline, in ground truth and prediction, and the IoU of these two. As in
the authors' code (github.com/bowenc0221/boundary-iou-api), d is a share of the image's diagonal,
rounded, at least 1, the distance is that of a square (d erosions by 3x3), and what lies beyond the
image is background, so that a mask cut off by the image's border has a boundary there. The paper
averages over objects; of a class, intersection and union are added up over all images, as
detectron2's ``SemSegEvaluator`` does, and as all metrics here are.

``small_object_recall``: of the small objects of the ground truth, those that are found. An object
is a connected region (corners connect), since masks know no objects; small is below 32² pixels in
COCO (Lin et al., ECCV 2014). It is found where a share of its own pixels is predicted as positive,
whatever else is predicted around it: an IoU would need predicted objects, and neighbours that a
prediction joins would count as missed.
"""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812

from ablate.metrics.confusion import confusion_per_image, predict
from ablate.metrics.scores import Confusion
from ablate.spec import Task


def counted_names(task: Task) -> tuple[str, ...]:
    """What ``count_images`` counts, as ``Confusion`` names it, in its order."""
    return (
        *("tp", "fp", "fn", "tn"),
        *(("boundary_both", "boundary_any") if "boundary_iou" in task.metrics else ()),
        *(("small_found", "small_all") if "small_object_recall" in task.metrics else ()),
    )


def count_images(logits: torch.Tensor, masks: torch.Tensor, task: Task) -> list[Confusion]:
    """Counts each image of a batch: its pixels, and what the task declares besides.

    Args:
        logits: Shape Bx1xHxW.
        masks: The ground truth, shape Bx1xHxW, 1 for positive, else 0.
        task: The threshold, the metrics, and what they need.

    Returns:
        One for each of the B images.

    Raises:
        ValueError: If the shapes differ.
    """
    found = confusion_per_image(logits, masks, task.threshold)
    predicted, actual = predict(logits, task.threshold), masks > 0.5
    if "boundary_iou" in task.metrics:
        counts = boundary_counts(predicted, actual, task.boundary_width)
        found = [
            replace(each, boundary_both=both, boundary_any=either)
            for each, (both, either) in zip(found, counts, strict=True)
        ]
    if "small_object_recall" in task.metrics:
        pairs = zip(found, predicted.cpu().numpy(), actual.cpu().numpy(), strict=True)
        found = [
            _with_small_objects(each, of_image[0], truth[0], task)
            for each, of_image, truth in pairs
        ]
    return found


def boundary_counts(
    predicted: torch.Tensor, actual: torch.Tensor, width: float
) -> list[tuple[int, int]]:
    """Pixels in both boundaries, and in either, of each image.

    Args:
        predicted: Shape Bx1xHxW, boolean.
        actual: The ground truth, likewise.
        width: How far a boundary reaches inwards, as a share of the image's diagonal.
    """
    height, breadth = predicted.shape[-2:]
    distance = max(1, round(width * math.hypot(height, breadth)))
    first, second = (_boundary(mask, distance).flatten(1) for mask in (predicted, actual))
    counts = [(first & second).sum(dim=1), (first | second).sum(dim=1)]
    return [(both, either) for both, either in torch.stack(counts, dim=1).tolist()]


def _boundary(mask: torch.Tensor, distance: int) -> torch.Tensor:
    """Pixels of a mask from which background, or what is beyond the image, is no further."""
    background = F.pad((~mask).to(torch.float32), [distance] * 4, value=1.0)
    side = 2 * distance + 1
    # A square is a row of columns: two passes instead of one of side² values for each pixel.
    spread = F.max_pool2d(background, (side, 1), stride=1)
    return mask & (F.max_pool2d(spread, (1, side), stride=1) > 0.5)


def _with_small_objects(
    confusion: Confusion,
    predicted: npt.NDArray[np.bool_],
    actual: npt.NDArray[np.bool_],
    task: Task,
) -> Confusion:
    found, of_all = small_objects(predicted, actual, task.small_object_px, task.small_object_share)
    return replace(confusion, small_found=found, small_all=of_all)


def small_objects(
    predicted: npt.NDArray[np.bool_], actual: npt.NDArray[np.bool_], below_px: int, share: float
) -> tuple[int, int]:
    """How many small objects of an image are found, and how many there are.

    Args:
        predicted: Shape HxW.
        actual: The ground truth, shape HxW.
        below_px: An object is small where it has fewer pixels.
        share: It is found where at least this share of its pixels is predicted.
    """
    # SciPy takes a tenth of a second to load.
    from scipy import ndimage

    labels, _ = ndimage.label(actual, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    hits = np.bincount(labels.ravel(), weights=predicted.ravel(), minlength=len(sizes))
    # Label 0 is the background.
    is_small = sizes[1:] < below_px
    is_found = hits[1:] >= share * sizes[1:]
    return int((is_small & is_found).sum()), int(is_small.sum())
