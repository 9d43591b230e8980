"""The loss against its formula, pixel by pixel."""

import math

import pytest
import torch

from ablate.spec import Loss
from ablate.train.loss import segmentation_loss


def by_hand(logits: list[float], truth: list[float], loss: Loss) -> float:
    probability = [1 / (1 + math.exp(-logit)) for logit in logits]
    cross = -sum(
        t * math.log(p) + (1 - t) * math.log(1 - p) for p, t in zip(probability, truth, strict=True)
    ) / len(truth)
    overlap = sum(p * t for p, t in zip(probability, truth, strict=True))
    total = sum(probability) + sum(truth)
    dice = 1 - (2 * overlap + loss.dice_smooth) / (total + loss.dice_smooth)
    return loss.bce * cross + loss.dice * dice


@pytest.mark.parametrize(
    "loss",
    [
        Loss(bce=0.5, dice=0.5, dice_smooth=1.0),
        Loss(bce=1.0, dice=0.0, dice_smooth=1.0),
        Loss(bce=0.0, dice=1.0, dice_smooth=3.0),
    ],
)
def test_bce_and_dice_over_the_whole_batch(loss: Loss) -> None:
    logits = [0.5, -1.0, 2.0, 0.0, -3.0, 1.0, 0.25, -0.75]
    truth = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    shape = (2, 1, 2, 2)
    found = segmentation_loss(
        torch.tensor(logits).view(shape), torch.tensor(truth).view(shape), loss
    )
    assert found.item() == pytest.approx(by_hand(logits, truth, loss), abs=1e-6)
