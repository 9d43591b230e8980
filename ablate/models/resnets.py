"""torchvision's ResNets as encoders: features of every stage, weights loaded strictly."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.ops import Conv2dNormActivation

from ablate.errors import WeightsError
from ablate.models.checkpoint import gaps_between, read_tensors, shapes_of
from ablate.spec import RESNETS, Architecture, ResNetName

_CLASSIFIER = "fc."
_COUNTER = ".num_batches_tracked"

# Which of the stages 2-4 keep their resolution and dilate instead.
_DILATED = {8: (False, True, True), 16: (False, False, True), 32: (False, False, False)}

_DEEP_STEM_CHANNELS = (64, 64, 128)


class Features(NamedTuple):
    """An encoder's features of a batch, BxCxhxw each; stride is the image's side over the map's.

    Attributes:
        stem: Stride 2, before the pooling; 64 channels, 128 of a deep stem.
        stage1: Stride 4, 256 channels.
        stage2: Stride 8, 512 channels.
        stage3: Stride 16 or the output stride if that is less, 1024 channels.
        stage4: At the output stride, 2048 channels.
    """

    stem: Tensor
    stage1: Tensor
    stage2: Tensor
    stage3: Tensor
    stage4: Tensor


class ResNetEncoder(nn.Module):
    """A torchvision ResNet without its classifier; parameters are named as torchvision does.

    A deep stem takes the place of the 7x7 convolution and its normalisation, and the first block
    of stage 1 then sees 128 channels instead of 64.

    Args:
        architecture: Which ResNet, its stem and its output stride.
    """

    def __init__(self, architecture: Architecture) -> None:
        """Draws the initial values from torch's global generator, as torchvision does (He)."""
        super().__init__()
        self.resnet = architecture.resnet
        self.deep_stem = architecture.deep_stem
        self.output_stride = architecture.output_stride
        network: Any = get_model(
            architecture.resnet,
            weights=None,
            replace_stride_with_dilation=_DILATED[architecture.output_stride],
        )
        if architecture.deep_stem:
            _deepen_stem(network)
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.relu = network.relu
        self.maxpool = network.maxpool
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4

    def forward(self, images: Tensor) -> Features:
        """Maps Bx3xSxS to the features of every stage."""
        stem = self.relu(self.bn1(self.conv1(images)))
        stage1 = self.layer1(self.maxpool(stem))
        stage2 = self.layer2(stage1)
        stage3 = self.layer3(stage2)
        return Features(stem, stage1, stage2, stage3, self.layer4(stage3))

    def copy_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copies the values of ``load_resnet`` into this encoder.

        Of a deep stem, exactly the stem and the two convolutions that see its 128 channels keep
        their own values: torchvision has none of these shapes.

        Raises:
            WeightsError: If a name or a shape is not that of this ResNet.
        """
        if gaps := _gaps(weights, self.resnet):
            raise WeightsError(
                f"the weights for the encoder do not fit {self.resnet} ({gaps})",
                f"read them from {_official(self.resnet)}",
            )
        kept = {n: value for n, value in self.state_dict().items() if self._keeps_its_own(n)}
        taken = {n: value for n, value in weights.items() if not self._keeps_its_own(n)}
        self.load_state_dict(kept | taken, strict=True)

    def _keeps_its_own(self, name: str) -> bool:
        """Whether torchvision's value of this name cannot be used here."""
        return self.deep_stem and (
            name.startswith(("conv1.", "bn1."))
            or name in {"layer1.0.conv1.weight", "layer1.0.downsample.0.weight"}
        )


def _deepen_stem(network: Any) -> None:
    """Replaces the 7x7 convolution by three 3x3 convolutions, as CCNet's authors do.

    Args:
        network: torchvision's ResNet. Its own ``bn1`` and ``relu`` follow the last convolution.
    """
    first, second, width = _DEEP_STEM_CHANNELS
    block = network.layer1[0]
    network.conv1 = nn.Sequential(
        Conv2dNormActivation(3, first, 3, stride=2),
        Conv2dNormActivation(first, second, 3),
        nn.Conv2d(second, width, 3, padding=1, bias=False),
    )
    network.bn1 = nn.BatchNorm2d(width)
    block.conv1 = nn.Conv2d(width, block.conv1.out_channels, 1, bias=False)
    block.downsample[0] = nn.Conv2d(width, block.downsample[0].out_channels, 1, bias=False)
    for module in [*network.conv1.modules(), block.conv1, block.downsample[0]]:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


# Weights ----------------------------------------------------------------------------------


def load_resnet(resnet: ResNetName, path: Path) -> dict[str, Tensor]:
    """Reads the weights of a ResNet and checks that they fit.

    Args:
        resnet: Which ResNet.
        path: A file in torchvision's layout. The classifier's values (``fc.*``) are dropped. The
            counters of batches (``num_batches_tracked``), which torchvision's oldest files lack,
            may be left out; they are then zero.

    Returns:
        The state dict in torchvision's layout without the classifier, on the CPU; large files
        are mapped, not read, until used.

    Raises:
        WeightsError: If the file is missing, is no checkpoint of plain tensors, or is not of
            this ResNet in every name and shape.
    """
    tensors = {
        name: value
        for name, value in read_tensors(path, _official(resnet)).items()
        if not name.startswith(_CLASSIFIER)
    }
    weights = _with_counters(tensors, resnet)
    if gaps := _gaps(weights, resnet):
        for other in RESNETS:
            if not _gaps(_with_counters(tensors, other), other):
                raise WeightsError(
                    f"{path} holds the weights of {other}, not of {resnet}",
                    f"give the path of {_official(resnet)}",
                )
        raise WeightsError(
            f"{path} does not fit {resnet} ({gaps})", f"give the path of {_official(resnet)}"
        )
    return {name: value.to(_layout(resnet)[name].dtype) for name, value in weights.items()}


def _official(resnet: ResNetName) -> str:
    """The names of torchvision's files."""
    return " or ".join(f"{resnet}-{digits}.pth" for digits in RESNETS[resnet].official_digits)


@cache
def _layout(resnet: ResNetName) -> dict[str, Tensor]:
    """The names and shapes of torchvision's own state dict, without the classifier."""
    with torch.device("meta"):
        network: Any = get_model(resnet, weights=None)
    return {n: value for n, value in network.state_dict().items() if not n.startswith(_CLASSIFIER)}


def _with_counters(tensors: Mapping[str, Tensor], resnet: ResNetName) -> dict[str, Tensor]:
    """The tensors, and zero for every counter that is not among them."""
    counters = [name for name in _layout(resnet) if name.endswith(_COUNTER)]
    return {**{name: torch.zeros((), dtype=torch.int64) for name in counters}, **tensors}


def _gaps(weights: Mapping[str, Tensor], resnet: ResNetName) -> str:
    """Where names and shapes are not those of the ResNet; empty if all of them are."""
    return gaps_between(shapes_of(weights), shapes_of(_layout(resnet)))
