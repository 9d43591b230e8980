"""Counting pixels. Imports torch."""

import torch

from ablate.metrics.scores import Confusion


def confusion_per_image(logits: torch.Tensor, masks: torch.Tensor) -> list[Confusion]:
    """Counts the pixels of each image of a batch.

    Args:
        logits: Shape Bx1xHxW; landslide where the sigmoid is above 0.5, so where the logit is
            above 0.
        masks: Shape Bx1xHxW, 1 for landslide, else 0.

    Returns:
        One for each of the B images.

    Raises:
        ValueError: If the shapes differ.
    """
    if logits.shape != masks.shape:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, masks {tuple(masks.shape)}")
    predicted, truth = (logits > 0).flatten(1), (masks > 0.5).flatten(1)
    cells = (predicted & truth, predicted & ~truth, ~predicted & truth, ~(predicted | truth))
    # One transfer from the device for all cells.
    counts = torch.stack([cell.sum(dim=1) for cell in cells], dim=1).tolist()
    return [Confusion(*row) for row in counts]
