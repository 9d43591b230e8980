"""The loss against its formula, pixel by pixel."""

import math

import pytest
import torch
from torch.nn import functional

from ablate.spec import Loss
from ablate.train.loss import segmentation_loss


def by_hand(logits: list[float], masks: list[float], loss: Loss) -> float:
    probability = [1 / (1 + math.exp(-logit)) for logit in logits]
    cross = -sum(
        t * math.log(p) + (1 - t) * math.log(1 - p) for p, t in zip(probability, masks, strict=True)
    ) / len(masks)
    overlap = sum(p * t for p, t in zip(probability, masks, strict=True))
    total = sum(probability) + sum(masks)
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
    masks = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    shape = (2, 1, 2, 2)
    ours = segmentation_loss(
        torch.tensor(logits).view(shape), torch.tensor(masks).view(shape), loss
    )
    assert ours.item() == pytest.approx(by_hand(logits, masks, loss), abs=1e-6)


def test_the_gradient_is_the_derivative() -> None:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(2, 1, 3, 3, generator=generator, dtype=torch.float64)
    # Where the loss has a kink in halves of it, and where a probability is 0 or 1.
    logits.view(-1)[:3] = torch.tensor([0.0, 60.0, -60.0])
    masks = (torch.rand(logits.shape, generator=generator) > 0.6).float()
    reference, ours = (each.clone().requires_grad_() for each in (logits, logits))
    loss = Loss(bce=0.7, dice=0.3, dice_smooth=1.0)
    segmentation_loss(ours, masks, loss).backward()
    probability = reference.sigmoid()
    cross = functional.binary_cross_entropy_with_logits(reference, masks.double())
    overlap, total = (probability * masks).sum(), probability.sum() + masks.sum()
    (0.7 * cross + 0.3 * (1 - (2 * overlap + 1) / (total + 1))).backward()
    torch.testing.assert_close(ours.grad, reference.grad, rtol=1e-5, atol=1e-8)
    assert ours.grad[0, 0, 0, 0] != 0


def test_what_is_far_from_the_border_loses_no_more_than_its_distance() -> None:
    """No logarithm of zero, however sure and wrong a pixel is."""
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0]).view(1, 1, 2, 2)
    masks = torch.tensor([0.0, 1.0, 1.0, 0.0]).view(1, 1, 2, 2)
    loss = Loss(bce=1.0, dice=0.0, dice_smooth=1.0)
    assert segmentation_loss(logits, masks, loss).item() == pytest.approx(100.0)
