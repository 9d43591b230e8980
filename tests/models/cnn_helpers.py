"""The CNN baselines of Table III, and what several tests do to them."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.models.cnn import Cnn
from ablate.spec import CnnVariant

CNNS = {
    "ccnet": CnnVariant(system="cnn", architecture="ccnet", auxiliary_weight=0.4),
    "deeplabv3plus": CnnVariant(system="cnn", architecture="deeplabv3plus"),
    "pspnet": CnnVariant(system="cnn", architecture="pspnet"),
    "unet": CnnVariant(system="cnn", architecture="unet"),
}
DEEPLAB = CNNS["deeplabv3plus"]

each_cnn = pytest.mark.parametrize("name", CNNS)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rectangles(side: int) -> Tensor:
    """Two masks."""
    masks = torch.zeros(2, 1, side, side)
    masks[0, :, : side // 2] = 1
    masks[1, :, side // 4 :, side // 2 :] = 1
    return masks


def training_loss(model: Cnn, images: Tensor, masks: Tensor) -> Tensor:
    return sum(
        (
            weight * F.binary_cross_entropy_with_logits(logits, masks)
            for weight, logits in model.weighted_logits(images)
        ),
        torch.zeros(()),
    )


def without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: value for n, value in state.items() if n not in {"fc.weight", "fc.bias"}}
