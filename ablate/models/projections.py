"""The fused projection of an attention as three layers, so that each can be adapted by itself."""

import torch
from torch import Tensor, nn


class SplitProjection(nn.Module):
    """Queries, keys and values by three layers, put together as SAM's ``qkv`` gives them.

    Args:
        fused: SAM's own, M to 3M channels: the rows of its weight are those of q, k and v.
    """

    def __init__(self, fused: nn.Linear) -> None:
        """Takes the values over, frozen; they are not copied."""
        super().__init__()
        weights = fused.weight.detach().chunk(3)
        biases = fused.bias.detach().chunk(3)
        self.q, self.k, self.v = (
            _linear(weight, bias) for weight, bias in zip(weights, biases, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps …xM to …x3M."""
        return torch.cat((self.q(x), self.k(x), self.v(x)), -1)

    def fused(self) -> nn.Linear:
        """One layer again, with copies of the values; only where all three are plain layers."""
        layers = (self.q, self.k, self.v)
        return _linear(
            torch.cat([layer.weight.detach() for layer in layers]),
            torch.cat([layer.bias.detach() for layer in layers]),
        )


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A frozen layer that has these values."""
    outputs, inputs = weight.shape
    layer = nn.Linear(inputs, outputs, device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer
