"""What SAM-nano makes of objects that it has not seen: mean IoU from a click and from a box."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from segment_anything.modeling import Sam
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.data.generated import scene as landslide_scene
from scripts.pretrain_nano.pool import Pool
from scripts.pretrain_nano.prompting import Prompts, boxed, clicked, prompt_sam
from scripts.pretrain_nano.recipe import boxes_of, iou_of
from scripts.pretrain_nano.scenes import SIZE_PX, SMALLEST_PX, masks_of

Sample = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""An image (HxWx3) and the masks of its objects (NxHxW)."""

# The scenes of protocol `demo`.
_LANDSLIDE_SEED = 2024


def held_out(pool: Pool) -> list[Sample]:
    """The scenes of a pool with their objects' masks; scenes without objects are left out."""
    samples = [
        (image, masks_of(labels)) for image, labels in zip(pool.images, pool.labels, strict=True)
    ]
    return with_objects_from(SMALLEST_PX, samples)


def with_objects_from(smallest_px: int, samples: Iterable[Sample]) -> list[Sample]:
    """The samples with the objects of so many pixels or more, as far as they have any."""
    kept = [(image, masks[masks.sum((1, 2)) >= smallest_px]) for image, masks in samples]
    return [(image, masks) for image, masks in kept if len(masks)]


def smallest_of(samples: Iterable[Sample]) -> int:
    """Pixels of the smallest object."""
    return min(int(masks.sum((1, 2)).min()) for _, masks in samples)


def landslides(count: int) -> list[Sample]:
    """Scenes of the target domain; an object is a landslide, or several that touch."""
    samples = []
    for index in range(count):
        image, ground_truth = landslide_scene(_LANDSLIDE_SEED, index, SIZE_PX)
        regions, number = ndimage.label(ground_truth, structure=np.ones((3, 3)))
        samples.append((image, regions == np.arange(1, number + 1)[:, None, None]))
    return with_objects_from(SMALLEST_PX, samples)


def deepest_points(masks: NDArray[np.bool_]) -> Tensor:
    """The pixel of each mask (NxHxW) furthest from its outline: the click of SAM's own evaluation.

    Returns:
        Nx2, (x, y).
    """
    points = []
    for mask in masks:
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        points.append((float(column), float(row)))
    return torch.tensor(points)


@torch.inference_mode()
def mean_ious(sam: Sam, samples: Iterable[Sample]) -> dict[str, float]:
    """Mean IoU over all objects.

    Returns:
        ``click``: of the three masks the one that SAM rates best; ``click_oracle``: the best one;
        ``box``: the one mask for a tight box; ``box_filled``: the box itself, for comparison.
    """
    found: dict[str, list[Tensor]] = {}
    for image, masks in samples:
        for name, ious in _ious(sam, image, masks).items():
            found.setdefault(name, []).append(ious.cpu())
    return {name: round(float(torch.cat(ious).mean()), 4) for name, ious in found.items()}


def _ious(sam: Sam, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> dict[str, Tensor]:
    device = sam.device
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().to(device)
    ground_truth = torch.from_numpy(masks).to(device)
    embeddings = sam.image_encoder(sam.preprocess(pixels)).expand(len(masks), -1, -1, -1)
    boxes = boxes_of(ground_truth)
    by_click, quality = _answers(
        sam, embeddings, ground_truth, clicked(deepest_points(masks).to(device))
    )
    by_box, _ = _answers(sam, embeddings, ground_truth, boxed(boxes))
    every = torch.arange(len(masks), device=device)
    return {
        "click": by_click[every, 1 + quality[:, 1:].argmax(1)],
        "click_oracle": by_click[:, 1:].amax(1),
        "box": by_box[:, 0],
        "box_filled": iou_of(_filled(boxes, ground_truth), ground_truth),
    }


def _answers(
    sam: Sam, embeddings: Tensor, ground_truth: Tensor, prompts: Prompts
) -> tuple[Tensor, Tensor]:
    """IoU of all four masks at the image's size, and their predicted quality; Nx4 each."""
    logits, quality = prompt_sam(sam, embeddings, prompts)
    large = F.interpolate(
        logits, size=ground_truth.shape[-2:], mode="bilinear", align_corners=False
    )
    return iou_of(large > 0, ground_truth[:, None]), quality


def _filled(boxes: Tensor, ground_truth: Tensor) -> Tensor:
    """The boxes (Nx4) as masks (NxHxW)."""
    left, top, right, bottom = boxes[:, :, None, None].unbind(1)
    y = torch.arange(ground_truth.shape[1], device=ground_truth.device)[:, None]
    x = torch.arange(ground_truth.shape[2], device=ground_truth.device)[None]
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
