"""Colour jitter whose random numbers come from outside. Imports torch."""

from collections.abc import Callable, Sequence

import torch
from torchvision.transforms.v2 import functional

from ablate.spec import ColorJitter

Steps = list[tuple[str, float]]

NUMBERS = 8
"""How many random numbers the jitter of one image takes."""


def choose(ranges: ColorJitter, numbers: Sequence[float]) -> Steps:
    """Turns random numbers into operations, distributed as torchvision's ColorJitter has them.

    Each number has one use whatever the ranges are, so that switching one operation off leaves
    the others as they were.

    Args:
        ranges: x in max(0, 1 - x) … 1 + x; for hue, h in -h … h.
        numbers: NUMBERS numbers, uniform in 0..1: a factor and a place for each operation.

    Returns:
        Name and factor of each operation, in the order of application; those whose range is
        a single point, and so change nothing, are left out.
    """
    spans = {
        "brightness": (max(0.0, 1 - ranges.brightness), 1 + ranges.brightness),
        "contrast": (max(0.0, 1 - ranges.contrast), 1 + ranges.contrast),
        "saturation": (max(0.0, 1 - ranges.saturation), 1 + ranges.saturation),
        "hue": (-ranges.hue, ranges.hue),
    }
    placed = [
        (place, name, low + (high - low) * factor)
        for (name, (low, high)), factor, place in zip(
            spans.items(), numbers[:4], numbers[4:], strict=True
        )
        if low < high
    ]
    return [(name, factor) for _, name, factor in sorted(placed)]


def apply(image: torch.Tensor, steps: Steps) -> torch.Tensor:
    """Applies chosen operations.

    Args:
        image: Shape 3xHxW, float32 in 0..1.
        steps: What ``choose`` gave.

    Returns:
        A tensor of the same shape and range.
    """
    for name, factor in steps:
        image = _OPERATIONS[name](image, factor)
    return image


_OPERATIONS: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "brightness": functional.adjust_brightness,
    "contrast": functional.adjust_contrast,
    "saturation": functional.adjust_saturation,
    "hue": functional.adjust_hue,
}
