"""Unadapted SAM (zero-shot), not trained for the task (the paper's Fig. 10).

It does not compete on equal terms: its point prompts come from the ground truth, or the ground
truth classifies the masks that SAM generates.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

from ablate.models.sam import load_sam
from ablate.runs import Parameters
from ablate.spec import BackboneName, Everything, InteriorPoints, ZeroShotVariant

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Prompts decoded at once, as many as SAM's own mask generator takes: 0.8 GB of masks at 1024 px.
_POINTS_PER_BATCH = 64


class ZeroShot:
    """A frozen SAM with its prompt encoder, and how it is prompted.

    SAM's own code normalises the images (by ImageNet's mean and standard deviation, as for every
    other model) and predicts in float32. Nothing is kept from one image to the next.

    Args:
        sam: SAM with its prompt encoder, as ``ablate.models.sam.load_sam`` gives it.
        prompts: How SAM is prompted.
    """

    def __init__(self, sam: Sam, prompts: InteriorPoints | Everything) -> None:
        """Keeps SAM as it is."""
        self.sam = sam
        self.prompts = prompts

    def predict(self, image: Image, ground_truth: Mask) -> Mask:
        """Segments one image.

        Args:
            image: RGB, SxSx3, 0..255, where S is the size that SAM was built for.
            ground_truth: True where the class is positive, SxS.

        Returns:
            True where SAM's chosen masks are, SxS.

        Raises:
            ValueError: If image or ground truth have another size; SAM's own code would resize
                silently.
        """
        side = self.sam.image_encoder.img_size
        if image.shape != (side, side, 3) or ground_truth.shape != (side, side):
            raise ValueError(
                f"this SAM is for {side}x{side}x3 and {side}x{side}, "
                f"not for an image {image.shape} and a ground truth {ground_truth.shape}"
            )
        with torch.inference_mode():
            if isinstance(self.prompts, InteriorPoints):
                return _from_points(self.sam, image, interior_points(ground_truth))
            return positive_masks(_every_mask(self.sam, self.prompts, image), ground_truth)

    def count_parameters(self) -> Parameters:
        """Counts all of SAM, the prompt encoder included; none of it is trained."""
        total = sum(value.numel() for value in self.sam.parameters())
        return Parameters(total=total, trainable=0, adapter=0, sites=0)


def build_zero_shot(
    variant: ZeroShotVariant,
    backbone: BackboneName,
    *,
    image_size_px: int,
    weights: Mapping[str, Tensor],
    device: torch.device,
) -> ZeroShot:
    """Builds a variant: strict load, freeze everything.

    Args:
        variant: How SAM is prompted.
        backbone: The SAM that ``weights`` are of.
        image_size_px: Side of the images; where it is not the native one, the position
            embedding is resized.
        weights: The result of ``ablate.models.load_weights``; its memory is shared where it
            lies on ``device``.
        device: Where SAM computes.
    """
    sam = load_sam(backbone, image_size_px=image_size_px, weights=weights)
    return ZeroShot(sam.to(device).eval(), variant.prompts)


# Interior points --------------------------------------------------------------------------


def interior_points(ground_truth: Mask) -> NDArray[np.int64]:
    """One point inside each positive region: the pixel with the largest distance to its border.

    A region is a component of pixels that touch by side or by corner. The image's border is a
    border too; among equally deep pixels the first in row-major order is taken.

    Args:
        ground_truth: True where the class is positive, HxW.

    Returns:
        Column and row (x, y) of each point, Nx2.
    """
    # Imported here: training needs nothing of it.
    from scipy import ndimage

    components, number = ndimage.label(ground_truth, structure=np.ones((3, 3)))
    depth = ndimage.distance_transform_edt(np.pad(ground_truth, 1))[1:-1, 1:-1]
    points = np.empty((number, 2), dtype=np.int64)
    for index, box in enumerate(ndimage.find_objects(components)):
        inside = np.where(components[box] == index + 1, depth[box], 0)
        row, column = np.unravel_index(inside.argmax(), inside.shape)
        points[index] = box[1].start + column, box[0].start + row
    return points


def _from_points(sam: Sam, image: Image, points: NDArray[np.int64]) -> Mask:
    """The union of SAM's masks for the points (Nx2), each point a prompt of its own.

    One point may mean an object or a part of it, so SAM predicts three masks, and the one with the
    highest predicted quality is taken, as ``SamPredictor.predict`` recommends for a single click.
    """
    union = torch.zeros(image.shape[:2], dtype=torch.bool, device=sam.device)
    if len(points):
        predictor = SamPredictor(sam)
        predictor.set_image(image)
        coordinates = torch.as_tensor(points, dtype=torch.float32, device=sam.device)
        for batch in torch.split(coordinates[:, None], _POINTS_PER_BATCH):
            positive = torch.ones(batch.shape[:2], dtype=torch.int, device=sam.device)
            masks, quality, _ = predictor.predict_torch(batch, positive, multimask_output=True)
            which = torch.arange(len(masks), device=sam.device)
            union |= masks[which, quality.argmax(dim=1)].any(dim=0)
    mask: Mask = union.cpu().numpy()
    return mask


# Everything -------------------------------------------------------------------------------


def _every_mask(sam: Sam, prompts: Everything, image: Image) -> list[Mask]:
    """The masks of SAM's automatic mask generator, which does not see the ground truth."""
    generator = SamAutomaticMaskGenerator(
        sam,
        points_per_side=prompts.points_per_side,
        points_per_batch=_POINTS_PER_BATCH,
        pred_iou_thresh=prompts.min_quality,
        stability_score_thresh=prompts.min_stability,
        # Neither needs OpenCV or pycocotools.
        min_mask_region_area=0,
        output_mode="binary_mask",
    )
    # The released segment-anything makes the categories of its boxes on the default device, where
    # torchvision cannot use them once there are many boxes on another.
    with sam.device:
        return [record["segmentation"] for record in generator.generate(image)]


def positive_masks(masks: Iterable[Mask], ground_truth: Mask) -> Mask:
    """The union of the masks that are positive in more than half of their pixels.

    Args:
        masks: Masks of SAM, each HxW; they may overlap.
        ground_truth: True where the class is positive, HxW.

    Returns:
        The union, HxW: what a perfect classifier of the masks would predict.
    """
    union = np.zeros_like(ground_truth, dtype=np.bool_)
    for mask in masks:
        if 2 * np.count_nonzero(ground_truth & mask) > np.count_nonzero(mask):
            union |= mask
    return union
