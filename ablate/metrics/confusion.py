"""Counting pixels. Imports torch."""

import math

import torch

from ablate.metrics.scores import Confusion


def confusion_per_image(
    logits: torch.Tensor, masks: torch.Tensor, threshold: float = 0.5
) -> list[Confusion]:
    """Counts the pixels of each image of a batch.

    Args:
        logits: Shape Bx1xHxW.
        masks: The ground truth, shape Bx1xHxW, 1 for positive, else 0.
        threshold: t in 0..1; a pixel is predicted as positive where its probability, the
            logit's sigmoid, is above t, so where the logit is above log(t / (1 - t)).

    Returns:
        One for each of the B images.

    Raises:
        ValueError: If the shapes differ.
    """
    if logits.shape != masks.shape:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, masks {tuple(masks.shape)}")
    # Exactly 0 at 0.5.
    predicted = (logits > math.log(threshold / (1 - threshold))).flatten(1)
    positive = (masks > 0.5).flatten(1)
    cells = (
        predicted & positive,
        predicted & ~positive,
        ~predicted & positive,
        ~(predicted | positive),
    )
    # One transfer from the device for all cells.
    counts = torch.stack([cell.sum(dim=1) for cell in cells], dim=1).tolist()
    return [Confusion(*row) for row in counts]
