"""The protocol's loss."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ablate.spec import Loss


def segmentation_loss(logits: torch.Tensor, masks: torch.Tensor, loss: Loss) -> torch.Tensor:
    """bce·BCE + dice·Dice over a batch (paper, Section IV-C; weights as released).

    Args:
        logits: Bx1xHxW, B being the number of images.
        masks: Bx1xHxW, 1 for the positive class, else 0.
        loss: The weights of both terms and the smoothing of the Dice.

    Returns:
        A scalar. The Dice is taken over all pixels of the batch together, as released.
    """
    total: torch.Tensor = _BceAndDice.apply(logits.float(), masks, loss)
    return total


class _BceAndDice(torch.autograd.Function):
    """Both terms, differentiated by hand.

    PyTorch's binary cross entropy takes the logarithm of 1 + exp(-|x|) as log1p: it keeps what a
    pixel loses below 1e-7, and takes three times as long as all the rest of the loss. Here it is
    -log σ(|x|), and the gradient, σ(x) - y, is made without it.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, masks: torch.Tensor, loss: Loss) -> torch.Tensor:
        """The loss; keeps probabilities and the fraction of the Dice."""
        sure = torch.sigmoid(logits.abs()).log_()
        cross_entropy = (logits.clamp_min(0) - logits * masks).sub_(sure).mean()
        probability = torch.sigmoid(logits)
        overlap = (probability * masks).sum()
        above = 2 * overlap + loss.dice_smooth
        below = probability.sum() + masks.sum() + loss.dice_smooth
        ctx.save_for_backward(probability, masks, above, below)
        ctx.loss = loss
        return loss.bce * cross_entropy + loss.dice * (1 - above / below)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The gradient of the logits."""
        probability, masks, above, below = ctx.saved_tensors
        of_probability = (above / below - 2 * masks).mul_(ctx.loss.dice / below * grad)
        of_dice = of_probability.mul_(probability).mul_(1 - probability)
        of_bce = (probability - masks).mul_(ctx.loss.bce / probability.numel() * grad)
        return of_dice.add_(of_bce), None, None
