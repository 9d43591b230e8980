"""The paper's CNN baselines (Table III): networks on ResNets, all of whose weights are trained.

Where the paper says nothing, the networks are those of their own papers whose parameters add up
to the counts of Table III.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torchvision.models.segmentation.deeplabv3 import ASPP
from torchvision.ops import Conv2dNormActivation

from ablate.models.interface import SegmentationModel
from ablate.models.resnets import Features, ResNetEncoder
from ablate.spec import ARCHITECTURES, ArchitectureName, CnnVariant

_STAGE3_CHANNELS = 1024
_STAGE4_CHANNELS = 2048


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    """Maps (BxCxhxw) at the size of others (BxC'xHxW), bilinearly: BxCxHxW."""
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


class PooledNorm(nn.BatchNorm2d):
    """Batch normalisation of a map that was pooled to one value per channel and image.

    In training, a batch of one image (the last of an epoch may be) has one value per channel:
    it has no variance, and its difference from its own mean is always zero. Such a batch is
    normalised with the running statistics and leaves them as they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxCx1x1 (or any BxCxHxW) to the same shape."""
        if self.training and x.numel() == self.num_features:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


# Heads: from the encoder's features to logits at the resolution of the finest that they use ----


class DeepLabV3PlusHead(nn.Module):
    """DeepLabv3+ (Chen et al., arXiv:1802.02611), with standard convolutions.

    Atrous spatial pyramid pooling of stage 4 with the rates of output stride 16, brought to the
    size of stage 1, joined with 48 channels of it and refined by two 3x3 convolutions.

    Args:
        classes: Maps of logits.
    """

    def __init__(self, classes: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.aspp = ASPP(_STAGE4_CHANNELS, [6, 12, 18])
        pooling = self.aspp.convs[-1]
        pooling[2] = PooledNorm(pooling[2].num_features)
        self.low_level = Conv2dNormActivation(256, 48, 1)
        self.decoder = nn.Sequential(
            Conv2dNormActivation(256 + 48, 256, 3),
            Conv2dNormActivation(256, 256, 3),
            nn.Conv2d(256, classes, 1),
        )

    def forward(self, features: Features) -> Tensor:
        """Maps the features to logits of stride 4."""
        low_level = self.low_level(features.stage1)
        context = _resized(self.aspp(features.stage4), low_level)
        logits: Tensor = self.decoder(torch.cat((context, low_level), dim=1))
        return logits


class PspHead(nn.Module):
    """PSPNet's pyramid pooling (Zhao et al., arXiv:1612.01105), bins of 1, 2, 3 and 6.

    Args:
        classes: Maps of logits.
    """

    def __init__(self, classes: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.pyramid = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bins),
                Conv2dNormActivation(
                    _STAGE4_CHANNELS, 512, 1, norm_layer=PooledNorm if bins == 1 else nn.BatchNorm2d
                ),
            )
            for bins in (1, 2, 3, 6)
        )
        self.classifier = nn.Sequential(
            Conv2dNormActivation(_STAGE4_CHANNELS + 4 * 512, 512, 3),
            nn.Dropout2d(0.1),
            nn.Conv2d(512, classes, 1),
        )

    def forward(self, features: Features) -> Tensor:
        """Maps the features to logits of stride 8."""
        x = features.stage4
        levels = [_resized(level(x), x) for level in self.pyramid]
        logits: Tensor = self.classifier(torch.cat((x, *levels), dim=1))
        return logits


class CrissCrossAttention(nn.Module):
    """Attention of every position to its row and its column (Huang et al., arXiv:1811.11721).

    out_u = γ Σ_i softmax_i(q_u · k_i) v_i + x_u over the H+W-1 positions i of u's row and column,
    u itself among them once. γ starts at zero.

    Args:
        channels: Channels C of the map.
        reduced: Channels of queries and keys.
    """

    def __init__(self, channels: int, reduced: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.query = nn.Conv2d(channels, reduced, 1)
        self.key = nn.Conv2d(channels, reduced, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxCxHxW to BxCxHxW."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        height = x.shape[-2]
        # BxHxWxH and BxHxWxW: the last dimension runs over the column, over the row.
        column = torch.einsum("bchw,bcgw->bhwg", query, key)
        row = torch.einsum("bchw,bchv->bhwv", query, key)
        # The row has the position itself already.
        itself = torch.eye(height, dtype=torch.bool, device=x.device).unsqueeze(1)
        column = column.masked_fill(itself, -torch.inf)
        shares = torch.cat((column, row), dim=-1).softmax(dim=-1)
        of_column = torch.einsum("bhwg,bcgw->bchw", shares[..., :height], value)
        of_row = torch.einsum("bhwv,bchv->bchw", shares[..., height:], value)
        return self.gamma * (of_column + of_row) + x


class CcHead(nn.Module):
    """CCNet's recurrent criss-cross attention (Huang et al., arXiv:1811.11721), R = 2.

    The first pass brings a position what lies in its row and column, the second, with the same
    weights, the whole map. ReLU follows every normalisation; the authors' code has leaky ReLU.

    Args:
        classes: Maps of logits.
    """

    recurrences = 2

    def __init__(self, classes: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.reduce = Conv2dNormActivation(_STAGE4_CHANNELS, 512, 3)
        self.attention = CrissCrossAttention(512, 64)
        self.refine = Conv2dNormActivation(512, 512, 3)
        self.classifier = nn.Sequential(
            Conv2dNormActivation(_STAGE4_CHANNELS + 512, 512, 3),
            nn.Dropout2d(0.1),
            nn.Conv2d(512, classes, 1),
        )

    def forward(self, features: Features) -> Tensor:
        """Maps the features to logits of stride 8."""
        context = self.reduce(features.stage4)
        for _ in range(self.recurrences):
            context = self.attention(context)
        context = self.refine(context)
        logits: Tensor = self.classifier(torch.cat((features.stage4, context), dim=1))
        return logits


class UNetHead(nn.Module):
    """A U-Net's decoder (Ronneberger et al., arXiv:1505.04597) on a ResNet: a reconstruction.

    The paper's network could not be identified. This one has as many parameters as Table III
    prints: per stage, the coarser map is brought to the finer's size, joined with it, and one
    3x3 convolution follows.

    Args:
        classes: Maps of logits.
    """

    def __init__(self, classes: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.stages = nn.ModuleList(
            Conv2dNormActivation(coarse + fine, out, 3)
            for coarse, fine, out in (
                (_STAGE4_CHANNELS, _STAGE3_CHANNELS, 512),
                (512, 512, 256),
                (256, 256, 128),
                (128, 64, 64),
            )
        )
        self.classifier = nn.Conv2d(64, classes, 1)

    def forward(self, features: Features) -> Tensor:
        """Maps the features to logits of stride 2."""
        *finer, x = features
        for stage, skip in zip(self.stages, reversed(finer), strict=True):
            x = stage(torch.cat((_resized(x, skip), skip), dim=1))
        logits: Tensor = self.classifier(x)
        return logits


class AuxiliaryHead(nn.Sequential):
    """A second segmentation from stage 3 that only training uses, as in CCNet's own code.

    Maps the features' stage 3 to logits of its size. The bias before the normalisation does
    nothing; CCNet's code has it, and Table III's count needs it.

    Args:
        classes: Maps of logits.
    """

    def __init__(self, classes: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__(
            Conv2dNormActivation(_STAGE3_CHANNELS, 512, 3, bias=True),
            nn.Dropout2d(0.1),
            nn.Conv2d(512, classes, 1),
        )


_HEADS: dict[ArchitectureName, Callable[[int], nn.Module]] = {
    "ccnet": CcHead,
    "deeplabv3plus": DeepLabV3PlusHead,
    "pspnet": PspHead,
    "unet": UNetHead,
}


# Models -----------------------------------------------------------------------------------


class Cnn(SegmentationModel):
    """An encoder, a head and perhaps an auxiliary head; all of it is trained.

    It has dropout and batch normalisation: ``train()`` and ``eval()`` matter.

    Args:
        variant: Which network.
        classes: Maps of logits; one but for counting.
    """

    def __init__(self, variant: CnnVariant, classes: int = 1) -> None:
        """Draws the initial values from torch's global generator."""
        super().__init__()
        self.encoder = ResNetEncoder(ARCHITECTURES[variant.architecture])
        self.head = _HEADS[variant.architecture](classes)
        self.auxiliary_weight = variant.auxiliary_weight
        self.auxiliary = None if variant.auxiliary_weight is None else AuxiliaryHead(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Segments a batch.

        Args:
            images: Normalised images, Bx3xSxS.

        Returns:
            Logits of the positive class, Bx1xSxS.
        """
        return _resized(self.head(self.encoder(images)), images)

    def weighted_logits(self, images: Tensor) -> list[tuple[float, Tensor]]:
        """The logits, and the auxiliary head's with its weight where there is one.

        Args:
            images: Normalised images, Bx3xSxS.

        Returns:
            Weights and logits, Bx1xSxS each, of one pass through the encoder.
        """
        features = self.encoder(images)
        weighted = [(1.0, _resized(self.head(features), images))]
        if self.auxiliary is not None and self.auxiliary_weight is not None:
            logits = _resized(self.auxiliary(features.stage3), images)
            weighted.append((self.auxiliary_weight, logits))
        return weighted

    def parameters_without_gradient(self) -> frozenset[str]:
        """Names of the biases that the training loss never moves: gradient zero but for rounding.

        - A key's in criss-cross attention: it adds one number to all the scores of a position,
          and the softmax takes it out again.
        - The auxiliary head's before batch normalisation, which takes the mean out again.
        """
        silent = {part.key.bias for part in self.modules() if isinstance(part, CrissCrossAttention)}
        if self.auxiliary is not None:
            refine: Any = self.auxiliary[0]
            silent.add(refine[0].bias)
        return frozenset(name for name, value in self.named_parameters() if value in silent)

    def _learned(self) -> dict[str, Tensor]:
        """The parameters and batch normalisation's statistics, which are the only buffers."""
        return {**super()._learned(), **dict(self.named_buffers())}


def build_cnn(variant: CnnVariant, weights: Mapping[str, Tensor] | None, seed: int) -> Cnn:
    """Builds a CNN baseline on the CPU.

    Args:
        variant: Which network.
        weights: The result of ``load_resnet``, copied into the encoder; None: it starts from
            random values. Of CCNet's deep stem, exactly the stem and the two convolutions that
            see its 128 channels start from random values nevertheless: torchvision's ResNets
            have none of these shapes.
        seed: Decides all random initial values, those of the heads whether weights are given or
            not; the global generator is left alone.

    Raises:
        WeightsError: If the weights are not the encoder's in every name and shape.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would also reseed the accelerators, which are not forked.
        torch.default_generator.manual_seed(seed)
        model = Cnn(variant)
    if weights is not None:
        model.encoder.copy_weights(weights)
    return model
