"""The geometry of the CNN baselines: ResNets and heads, as plain numbers that need no torch."""

from dataclasses import dataclass
from typing import Literal

ResNetName = Literal["resnet50", "resnet101", "resnet152"]
ArchitectureName = Literal["ccnet", "deeplabv3plus", "pspnet", "unet"]


@dataclass(frozen=True)
class ResNet:
    """One bottleneck ResNet (He et al., arXiv:1512.03385).

    Attributes:
        label: How tables and watermarks call it.
        blocks: Bottleneck blocks of its four stages.
        official_digits: First eight hex digits of the SHA-256 of torchvision's files; they are
            part of the files' names.
    """

    label: str
    blocks: tuple[int, int, int, int]
    official_digits: tuple[str, ...]


# Digits: torchvision/models/resnet.py, ImageNet weights V1 and V2.
RESNETS: dict[ResNetName, ResNet] = {
    "resnet50": ResNet("ResNet-50", (3, 4, 6, 3), ("0676ba61", "11ad3fa6")),
    "resnet101": ResNet("ResNet-101", (3, 4, 23, 3), ("63fe2227", "cd907fc2")),
    "resnet152": ResNet("ResNet-152", (3, 8, 36, 3), ("394f9c45", "f82ba261")),
}


@dataclass(frozen=True)
class Architecture:
    """One CNN baseline.

    Attributes:
        label: The name in its own paper.
        resnet: Its encoder; the one whose parameters add up to the paper's Table III.
        deep_stem: Three 3x3 convolutions (64, 64, 128 channels) instead of one 7x7 (64).
        output_stride: Side of the image over side of the last feature map.
    """

    label: str
    resnet: ResNetName
    deep_stem: bool
    output_stride: Literal[8, 16, 32]


ARCHITECTURES: dict[ArchitectureName, Architecture] = {
    "ccnet": Architecture("CCNet", "resnet101", deep_stem=True, output_stride=8),
    "deeplabv3plus": Architecture("DeepLabv3+", "resnet50", deep_stem=False, output_stride=16),
    "pspnet": Architecture("PSPNet", "resnet50", deep_stem=False, output_stride=8),
    "unet": Architecture("UNet", "resnet152", deep_stem=False, output_stride=32),
}
