"""Counting pixels. Imports torch."""

import math

import torch

from ablate.metrics.scores import Confusion


def predict(logits: torch.Tensor, threshold: float = 0.5) -> torch.Tensor:
    """Where the positive class is predicted: where its probability is above the threshold.

    Args:
        logits: Any shape.
        threshold: t in 0..1, without both; a logit is positive above log(t / (1 - t)), which is
            exactly 0 at 0.5.

    Returns:
        True where positive, of the logits' shape.
    """
    return logits > math.log(threshold / (1 - threshold))


def confusion_per_image(
    logits: torch.Tensor, masks: torch.Tensor, threshold: float = 0.5
) -> list[Confusion]:
    """Counts the pixels of each image of a batch.

    Args:
        logits: Shape Bx1xHxW.
        masks: The ground truth, shape Bx1xHxW, 1 for positive, else 0.
        threshold: A pixel is predicted as positive where its probability is above this.

    Returns:
        One for each of the B images.

    Raises:
        ValueError: If the shapes differ.
    """
    if logits.shape != masks.shape:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, masks {tuple(masks.shape)}")
    predicted = predict(logits, threshold).flatten(1)
    actual = (masks > 0.5).flatten(1)
    cells = (predicted & actual, predicted & ~actual, ~predicted & actual, ~(predicted | actual))
    # One transfer from the device for all cells.
    counts = torch.stack([cell.sum(dim=1) for cell in cells], dim=1).tolist()
    return [Confusion(*row) for row in counts]
