"""The rivals' layers in plain numbers: bottleneck ResNets and the heads that stand on them.

Encoders as in torchvision/models/resnet.py, without the classifier. Heads as in their own papers;
of what these leave open, what adds up to the paper's Table III.
"""

from itertools import pairwise

from ablate.spec.layer import Layer, conv, linear, norm
from ablate.spec.resnet import ARCHITECTURES, RESNETS, Architecture
from ablate.spec.variant import CnnVariant

# Channels that the four stages of a bottleneck ResNet put out.
_STAGE_CHANNELS = (256, 512, 1024, 2048)
_DEEP_STEM_CHANNELS = (64, 64, 128)
_STEM_CHANNELS = 64


def encoder_layers(variant: CnnVariant) -> list[Layer]:
    """The stem and the four stages of the ResNet."""
    architecture = ARCHITECTURES[variant.architecture]
    stem = _stem(architecture)
    layers, channels = [stem], _DEEP_STEM_CHANNELS[-1] if architecture.deep_stem else _STEM_CHANNELS
    blocks = RESNETS[architecture.resnet].blocks
    for number, (count, wide) in enumerate(zip(blocks, _STAGE_CHANNELS, strict=True), start=1):
        parameters = conv(channels, wide, 1, has_bias=False) + norm(wide)
        for index in range(count):
            parameters += _bottleneck(channels if index == 0 else wide, wide)
        shape = f"{channels} → {wide}"
        layers.append(Layer(f"stage {number}", f"{count} bottleneck blocks", shape, parameters))
        channels = wide
    return layers


def head_layers(variant: CnnVariant, classes: int = 1) -> list[Layer]:
    """What stands on the ResNet, from its features to the logits.

    Args:
        variant: Which rival, with its auxiliary head or without.
        classes: Channels of the logits: 1 for landslide against the rest, as trained here; 2 as
            such networks are often built.
    """
    match variant.architecture:
        case "deeplabv3plus":
            head = _deeplab_layers(classes)
        case "pspnet":
            head = _pyramid_layers(classes)
        case "ccnet":
            head = _criss_cross_layers(classes)
        case "unet":
            head = _unet_layers(classes)
    if variant.auxiliary_weight is None:
        return head
    parameters = conv(1024, 512, 3, has_bias=True) + norm(512)
    return [
        *head,
        Layer("auxiliary head", "Conv 3×3, BatchNorm, ReLU", "1024 → 512", parameters),
        _logits("auxiliary logits", 512, classes),
    ]


def _stem(architecture: Architecture) -> Layer:
    if not architecture.deep_stem:
        return _conv_norm("stem", 3, _STEM_CHANNELS, 7)
    channels = (3, *_DEEP_STEM_CHANNELS)
    parameters = sum(
        conv(before, after, 3, has_bias=False) + norm(after) for before, after in pairwise(channels)
    )
    return Layer("stem", "3 × (Conv 3×3, BatchNorm, ReLU)", f"3 → {channels[-1]}", parameters)


def _bottleneck(channels: int, wide: int) -> int:
    """One block without the projection of its shortcut (He et al., arXiv:1512.03385)."""
    inner = wide // 4
    convolutions = conv(channels, inner, 1, has_bias=False) + conv(inner, inner, 3, has_bias=False)
    convolutions += conv(inner, wide, 1, has_bias=False)
    return convolutions + 2 * norm(inner) + norm(wide)


def _deeplab_layers(classes: int) -> list[Layer]:
    """DeepLabv3+ (arXiv:1802.02611) with plain, not separable, convolutions."""
    return [
        _conv_norm("ASPP, point", 2048, 256, 1),
        *(_conv_norm(f"ASPP, branch {number}", 2048, 256, 3) for number in (1, 2, 3)),
        _conv_norm("ASPP, pooled image", 2048, 256, 1),
        _conv_norm("ASPP, projection", 1280, 256, 1),
        _conv_norm("low-level features", 256, 48, 1),
        _conv_norm("decoder 1", 304, 256, 3),
        _conv_norm("decoder 2", 256, 256, 3),
        _logits("logits", 256, classes),
    ]


def _pyramid_layers(classes: int) -> list[Layer]:
    """PSPNet's pyramid pooling (arXiv:1612.01105)."""
    return [
        *(_conv_norm(f"pyramid, {bins}×{bins} bins", 2048, 512, 1) for bins in (1, 2, 3, 6)),
        _conv_norm("bottleneck", 4096, 512, 3),
        _logits("logits", 512, classes),
    ]


def _criss_cross_layers(classes: int) -> list[Layer]:
    """CCNet's recurrent criss-cross attention (arXiv:1811.11721): one module, used twice."""
    return [
        _conv_norm("reduction", 2048, 512, 3),
        Layer("criss-cross, query", "Conv 1×1", "512 → 64", linear(512, 64)),
        Layer("criss-cross, key", "Conv 1×1", "512 → 64", linear(512, 64)),
        Layer("criss-cross, value", "Conv 1×1", "512 → 512", linear(512, 512)),
        Layer("criss-cross, gamma", "scale", "512 → 512", 1),
        _conv_norm("after attention", 512, 512, 3),
        _conv_norm("bottleneck", 2560, 512, 3),
        _logits("logits", 512, classes),
    ]


def _unet_layers(classes: int) -> list[Layer]:
    """A reconstruction: bilinear upsampling, concatenation and one convolution for each stage."""
    stages = ((3072, 512), (1024, 256), (512, 128), (192, 64))
    return [
        *(
            _conv_norm(f"decoder {number}", before, after, 3)
            for number, (before, after) in enumerate(stages, start=1)
        ),
        _logits("logits", 64, classes),
    ]


def _conv_norm(name: str, channels_in: int, channels_out: int, side: int) -> Layer:
    """A convolution without bias, since the BatchNorm that follows has one."""
    parameters = conv(channels_in, channels_out, side, has_bias=False) + norm(channels_out)
    module = f"Conv {side}×{side}, BatchNorm, ReLU"
    return Layer(name, module, f"{channels_in} → {channels_out}", parameters)


def _logits(name: str, channels: int, classes: int) -> Layer:
    return Layer(name, "Conv 1×1", f"{channels} → {classes}", linear(channels, classes))
