"""What several tests of this room do to a model."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.models import Segmenter
from ablate.spec import SamVariant

Build = Callable[..., Segmenter]


def widened(variant: SamVariant, width: int) -> SamVariant:
    """The same structure with another bottleneck width."""
    adapter = variant.adapter.model_copy(update={"width": width})
    return variant.model_copy(update={"adapter": adapter})


def scatter(model: Segmenter) -> None:
    """Moves every adapter parameter off the value that it started with."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for adapter in model.adapters:
            for parameter in adapter.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.3 * noise.to(parameter.dtype))


def backward(model: Segmenter, images: Tensor) -> None:
    """The gradient of a binary cross-entropy against noise."""
    masks = torch.rand(images[:, :1].shape, generator=torch.Generator().manual_seed(5)) > 0.5
    F.binary_cross_entropy_with_logits(model(images), masks.to(images.dtype)).backward()
