"""Unadapted SAM on the device: all masks of its generator, and the boxes that it sorts.

The released segment-anything makes the categories of its boxes on the default device. torchvision
then cannot sort many boxes that lie on a GPU; ablate makes the GPU the default one meanwhile.
"""

import numpy as np
import torch
from torchvision.ops import batched_nms

from ablate.models.zero_shot import build_zero_shot
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, BackboneName, Everything, ZeroShotVariant
from benchmarks.gpu.part import Part, in_a_line, measured, run
from benchmarks.gpu.steps import random_weights

# Above that torchvision goes another way on a GPU: 5,000 boxes in older versions, 25,000 in newer.
BOXES = 30_000


def sorted_boxes(part: Part, count: int, is_default: bool) -> None:
    """Says whether boxes on the device can be sorted by categories on the default device."""
    device = torch.device(part.device)
    corners = 1000 * torch.rand(count, 2, device=device)
    boxes = torch.cat((corners, corners + 5), 1)
    scores = torch.rand(count, device=device)
    with device if is_default else torch.device("cpu"):
        try:
            kept = len(batched_nms(boxes, scores, torch.zeros(count), 0.7))
            outcome = f"{kept} kept"
        except (RuntimeError, IndexError) as error:
            outcome = in_a_line(error)
    part.row(
        {
            "boxes": count,
            "categories": "on the device" if is_default else "on the CPU, as released",
            "outcome": outcome,
        }
    )


def measure(part: Part) -> None:
    """Says what sorting and what one image takes."""
    for is_default in (True, False):
        sorted_boxes(part, 2000 if part.tiny else BOXES, is_default)
    backbone: BackboneName = "vit_nano" if part.tiny else "vit_b"
    side_px = BACKBONES[backbone].image_size_px
    catalogue = Catalogue()
    image = np.random.default_rng(0).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
    truth = np.zeros((side_px, side_px), dtype=np.bool_)
    truth[: side_px // 2] = True
    variant = catalogue.variant("sam-everything")
    assert isinstance(variant, ZeroShotVariant)
    # Random weights rate no mask well: without thresholds, as many are left as can be.
    points = 2 if part.tiny else 4
    lenient = Everything(kind="everything", points_per_side=points, min_quality=0, min_stability=0)
    for name, prompts in (("as declared", variant.prompts), (f"{points}² points, all", lenient)):
        model = build_zero_shot(
            variant.model_copy(update={"prompts": prompts}),
            backbone,
            image_size_px=side_px,
            weights=random_weights(backbone, part.device),
            device=torch.device(part.device),
        )
        if part.tiny and prompts is variant.prompts:
            continue
        found = measured(lambda model=model: lambda: model.predict(image, truth), part.device, 1)
        is_done = not isinstance(found, str)
        part.row(
            {
                "sam-everything": name,
                "image, s": found.median_s if is_done else None,
                "peak GB": found.peak_gb if is_done else None,
                "outcome": "done" if is_done else found,
            }
        )


if __name__ == "__main__":
    run(measure)
