"""The protocol's loss."""

import torch
from torch.nn import functional

from ablate.spec import Loss


def segmentation_loss(logits: torch.Tensor, masks: torch.Tensor, loss: Loss) -> torch.Tensor:
    """bce·BCE + dice·Dice over a batch (paper, Section IV-C; weights as released).

    Args:
        logits: Bx1xHxW, B being the number of images.
        masks: Bx1xHxW, 1 where there is a landslide, else 0.
        loss: The weights of both terms and the smoothing of the Dice.

    Returns:
        A scalar. The Dice is taken over all pixels of the batch together, as released.
    """
    logits = logits.float()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    probability = logits.sigmoid().flatten()
    truth = masks.flatten()
    overlap = (probability * truth).sum()
    total = probability.sum() + truth.sum()
    dice = 1 - (2 * overlap + loss.dice_smooth) / (total + loss.dice_smooth)
    return loss.bce * cross_entropy + loss.dice * dice
