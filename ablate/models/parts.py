"""What a variant is made of, read off its modules: parts with shapes, parameters and states."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from segment_anything.modeling import ImageEncoderViT
from torch import nn

from ablate.models.adapters import InsideAtl, OutsideAtl
from ablate.models.block_adapters import (
    AdaptFormerBlock,
    MixedBlock,
    ParallelBlock,
    SeriesBlock,
)
from ablate.models.cnn import Cnn
from ablate.models.counting import model_without_values
from ablate.models.encoder_values import encoder_values
from ablate.models.segmenter import Segmenter
from ablate.models.zero_shot import ZeroShot
from ablate.spec import BACKBONES, PATCH_SIZE_PX, RESNETS, Backbone, BackboneName, Variant

State = Literal["trained", "frozen"]

# What the papers call modules that have another name here.
_NAMES = {"down": "L_down", "up": "L_up", "midlays": "MidLays", "high": "high frequencies"}
_PLACES: dict[type[nn.Module], str] = {
    OutsideAtl: "before the block",
    InsideAtl: "between attention and MLP",
    AdaptFormerBlock: "beside the MLP",
    SeriesBlock: "after attention and MLP",
    ParallelBlock: "beside attention and MLP",
    MixedBlock: "after attention and beside MLP",
}
# Layers that map channels to channels.
_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Part:
    """One part of a model.

    Attributes:
        name: What it is called.
        module: What it is made of; ``24 × Atl`` where there are several.
        shape: Channels in → channels out, or the shape of a parameter; may be empty.
        parameters: How many it has; where there are several, each of them.
        state: None where it has no parameters, or some are trained and some frozen.
        parts: What it consists of, as far as that is shown.
    """

    name: str
    module: str
    shape: str
    parameters: int
    state: State | None
    parts: tuple["Part", ...] = ()


def parts_of(variant: Variant, backbone: BackboneName) -> Part:
    """The parts of a variant, from the image to the mask, without weights or memory.

    Args:
        variant: Any system.
        backbone: The SAM that it is built on; a CNN baseline has none.

    Returns:
        The whole model, named after what it is built on. The parameters of its parts add up to
        its own.
    """
    model = model_without_values(variant, backbone)
    geometry = BACKBONES[backbone]
    if isinstance(model, Cnn):
        return _sum(RESNETS[model.encoder.resnet].label, "", _cnn_parts(model))
    if isinstance(model, ZeroShot):
        return _sum(geometry.label, "", _zero_shot_parts(model, geometry))
    return _sum(geometry.label, "", _adapted_parts(model, geometry))


# Systems --------------------------------------------------------------------------------------


def _adapted_parts(model: Segmenter, geometry: Backbone) -> list[Part]:
    # An adapter may wrap the encoder or its blocks, but the encoder is always SAM's own.
    (encoder,) = (each for each in model.modules() if isinstance(each, ImageEncoderViT))
    in_adapters = {value for adapter in model.adapters for value in adapter.parameters()}
    own = encoder_values(encoder, in_adapters)
    trained = {value for value in own["encoder"] if value.requires_grad}
    # Where some of it is trained, that is a part of its own; where all is, every part is trained.
    some = trained if len(trained) < len(own["encoder"]) else set()
    parts = _encoder_parts(encoder, geometry, in_adapters | some)
    if model.adapters:
        adapters = _by_place(model.adapters, encoder, model.mask_decoder)
        sites = f"adapters at {model.sites} sites"
        parts.insert(2, replace(_values(sites, "", "", in_adapters), parts=adapters))
    if some:
        parts.append(_values("trained in the image encoder", _names(some, own), "", some))
    if isinstance(model.no_mask, nn.Parameter):
        shape = _dimensions(model.no_mask.flatten())
        parts.append(_values("no-mask embedding", "Parameter", shape, [model.no_mask]))
    shape = f"{geometry.prompt_width} → 1 mask"
    decoder = [value for value in model.mask_decoder.parameters() if value not in in_adapters]
    parts.append(_values("mask decoder", "no prompts, mask token 0", shape, decoder))
    return parts


def _names(some: set[nn.Parameter], own: Mapping[str, list[nn.Parameter]]) -> str:
    """What some of an encoder's own parameters are."""
    parts = {"norms": own["encoder_norms"], "biases": own["encoder_biases"]}
    return " and ".join(name for name, values in parts.items() if some.issuperset(values))


def _zero_shot_parts(model: ZeroShot, geometry: Backbone) -> list[Part]:
    sam, width = model.sam, geometry.prompt_width
    prompts = f"points, boxes, masks → {width}"
    masks = f"{width} → {sam.mask_decoder.num_mask_tokens} masks"
    return [
        *_encoder_parts(sam.image_encoder, geometry, set()),
        _values("prompt encoder", "embeddings", prompts, sam.prompt_encoder.parameters()),
        _values("mask decoder", "prompted", masks, sam.mask_decoder.parameters()),
    ]


def _encoder_parts(
    encoder: ImageEncoderViT, geometry: Backbone, in_adapters: set[nn.Parameter]
) -> list[Part]:
    """Embedding, blocks and neck of SAM's image encoder, without the adapters in it."""
    width, side = geometry.width, geometry.image_size_px // PATCH_SIZE_PX
    window, everywhere = geometry.window, len(geometry.global_blocks)
    embedding, blocks, neck = (
        [value for value in values if value not in in_adapters]
        for values in (
            [encoder.pos_embed, *encoder.patch_embed.parameters()],
            encoder.blocks.parameters(),
            encoder.neck.parameters(),
        )
    )
    return [
        _values(
            "patch and position embedding",
            _layer(encoder.patch_embed.proj),
            f"3 → {width}, {side}×{side} tokens",
            embedding,
        ),
        _values(
            f"{geometry.depth} transformer blocks",
            f"attention in windows of {window}×{window} tokens, in {everywhere} blocks global",
            f"{width} → {width}",
            blocks,
        ),
        _values("neck", *_line(encoder.neck), neck),
    ]


def _by_place(
    adapters: Iterable[nn.Module], encoder: ImageEncoderViT, decoder: nn.Module
) -> tuple[Part, ...]:
    """The adapters of a SAM; those that are equal and in equal places as one."""
    places = {
        value: _PLACES.get(type(block), f"in {type(block).__name__}")
        for block in encoder.blocks
        for value in block.parameters()
    }
    places |= dict.fromkeys(decoder.parameters(), "in the mask decoder")
    parts = [
        _part(places.get(next(each.parameters()), "beside the blocks"), each) for each in adapters
    ]
    return tuple(_times(part, parts.count(part)) for part in dict.fromkeys(parts))


def _cnn_parts(model: Cnn) -> list[Part]:
    resnet = model.encoder
    stages = [resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4]
    encoder = [
        _part("stem", nn.Sequential(resnet.conv1, resnet.bn1)),
        *(
            _values(
                f"stage {number}",
                f"{len(stage)} bottleneck blocks",
                _line(stage)[1],
                stage.parameters(),
            )
            for number, stage in enumerate(stages, start=1)
        ),
    ]
    features = f"last features at 1/{resnet.output_stride} of the image's side"
    parts = [_sum("encoder", features, encoder), _part("head", model.head)]
    if model.auxiliary is not None:
        head = _part("auxiliary head", model.auxiliary)
        weight = f"its loss weighted with {model.auxiliary_weight:g}"
        parts.append(replace(head, module=weight))
    return parts


# Any module -----------------------------------------------------------------------------------


def _part(name: str, module: nn.Module) -> Part:
    """A module, down to its layers; a layer with its norm and activation is one line."""
    text, shape = _line(module)
    part = _values(name, text, shape, module.parameters())
    own = list(module.named_parameters(recurse=False))
    children = list(module.named_children())
    if not children or (not own and len(_layers(module)) <= 1):
        return part
    parts = [_values(key, "Parameter", _dimensions(value), [value]) for key, value in own]
    with_parameters = [(key, each) for key, each in children if list(each.parameters())]
    parts += [
        _part(f"layer {number}" if key.isdigit() else _NAMES.get(key, key), child)
        for number, (key, child) in enumerate(with_parameters, start=1)
    ]
    if isinstance(module, nn.ModuleList) and len({replace(each, name=name) for each in parts}) == 1:
        return _times(replace(parts[0], name=name), len(parts))
    if isinstance(module, nn.Sequential | nn.ModuleList):
        text = ""
    return replace(part, module=text, parts=tuple(parts))


def _line(module: nn.Module) -> tuple[str, str]:
    """What a module is made of, and its channels in and out."""
    layers = _layers(module)
    text = type(module).__name__
    if len(layers) <= 1 or isinstance(module, nn.Sequential):
        leaves = [each for each in module.modules() if not list(each.children())]
        text = ", ".join(_layer(leaf) for leaf in leaves)
    if layers:
        return text, f"{_channels(layers[0])[0]} → {_channels(layers[-1])[1]}"
    values = list(module.parameters())
    return text, _dimensions(values[0]) if values else ""


def _layers(module: nn.Module) -> list[Any]:
    return [each for each in module.modules() if isinstance(each, _LAYERS)]


def _channels(layer: Any) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.in_channels, layer.out_channels


def _layer(layer: nn.Module) -> str:
    """A single layer: ``Conv 3×3, dilation 6``."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return type(layer).__name__
    kind = "Conv" if isinstance(layer, nn.Conv2d) else "transposed Conv"
    if 1 < layer.groups == layer.in_channels:
        kind = f"depthwise {kind}"
    text = f"{kind} {'×'.join(str(side) for side in layer.kernel_size)}"
    for what in ("stride", "dilation"):
        value = getattr(layer, what)[0]
        text += f" {what} {value}" if value > 1 else ""
    return text


def _dimensions(value: Any) -> str:
    return " × ".join(str(size) for size in value.shape)


def _values(name: str, module: str, shape: str, values: Iterable[nn.Parameter]) -> Part:
    """A part that has these parameters."""
    values = list(values)
    trained = {value.requires_grad for value in values}
    state: State | None = None
    if len(trained) == 1:
        state = "trained" if trained.pop() else "frozen"
    return Part(name, module, shape, sum(value.numel() for value in values), state)


def _sum(name: str, module: str, parts: Sequence[Part]) -> Part:
    """What consists of these parts and nothing else."""
    states = {part.state for part in parts}
    state = states.pop() if len(states) == 1 else None
    total = sum(part.parameters for part in parts)
    return Part(name, module, "", total, state, tuple(parts))


def _times(part: Part, number: int) -> Part:
    """A part that is there several times."""
    return replace(part, module=f"{number} × {part.module}".strip()) if number > 1 else part
