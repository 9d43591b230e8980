"""MidLays, the layers of the bottleneck (Fig. 2)."""

from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def linear_midlay(width: int) -> nn.Module:
    """MidLay m: Linear, GELU, on BxHxWxd maps, where d is ``width``."""
    return nn.Sequential(nn.Linear(width, width), nn.GELU())


class ConvMidLay(nn.Module):
    """MidLay c: convolution, LayerNorm over the channels, GELU.

    Args:
        conv: A convolution from d to e channels that keeps the map's height and width.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """The convolution is kept as it is, the LayerNorm starts as in SAM's neck."""
        super().__init__()
        self.conv = conv
        self.norm = LayerNorm2d(conv.out_channels)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxd to BxHxWxe."""
        convolved = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        # What LayerNorm2d computes, in one operation instead of nine.
        norm = self.norm
        normal = F.layer_norm(convolved, norm.weight.shape, norm.weight, norm.bias, norm.eps)
        out: Tensor = self.act(normal)
        return out
