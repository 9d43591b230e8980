"""A layer in plain numbers, and how many parameters the common ones have."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One layer of an adapter, or one part of a model.

    Attributes:
        name: What its paper calls it.
        module: What it is made of.
        shape: Channels in → channels out.
        parameters: How many it has.
    """

    name: str
    module: str
    shape: str
    parameters: int


def parameters_of(stack: Iterable[Layer]) -> int:
    """The parameters of all these layers."""
    return sum(layer.parameters for layer in stack)


def linear(channels_in: int, channels_out: int) -> int:
    """Parameters of a linear layer with bias, and of a 1x1 convolution with bias."""
    return conv(channels_in, channels_out, side=1, has_bias=True)


def conv(channels_in: int, channels_out: int, side: int, *, has_bias: bool) -> int:
    """Parameters of a convolution (or a transposed one) with a square kernel."""
    return channels_in * channels_out * side * side + has_bias * channels_out


def norm(channels: int) -> int:
    """Weight and bias of a LayerNorm or BatchNorm; running statistics are no parameters."""
    return 2 * channels
