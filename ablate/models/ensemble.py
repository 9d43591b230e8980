"""Several models on one batch: stacked where that saves time, else one after the other.

Only small SAMs are worth stacking (``ablate.models.stack``), and only SAM's own modules with
adapters that the stack knows can be stacked. The modules themselves decide: a model with any other
module goes through its own ``forward``, with the same result but for rounding, and slower.
"""

import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any, TypeGuard

import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn

from ablate.models.adapters import InsideAtl, OutsideAtl
from ablate.models.atl_released import PromptedEncoder
from ablate.models.interface import SegmentationModel
from ablate.models.sam import sam_without_weights
from ablate.models.segmenter import Segmenter
from ablate.models.stack import Stack, without_atl, without_prompts
from ablate.spec import BACKBONES, BackboneName

_ENCODERS = (ImageEncoderViT, PromptedEncoder)
_BLOCKS = (Block, OutsideAtl, InsideAtl)


def forward_together(models: Sequence[SegmentationModel], images: Tensor) -> list[Tensor]:
    """Segments one batch with several models.

    What a model computes does not depend on the others: one that can be stacked goes through a
    stack even when it is alone. The newest stacks are kept, so that the thread's next call with the
    same models builds nothing; their modules must not be replaced in between.

    Args:
        models: On one device.
        images: Normalised images, Bx3xSxS.

    Returns:
        Each model's logits, Bx1xSxS, in the order of the models.
    """
    logits: dict[SegmentationModel, Tensor] = {}
    for stacked, stack in _newest.stacks(tuple(filter(_is_small, models))):
        logits.update(zip(stacked, stack(images), strict=True))
    return [logits[model] if model in logits else model(images) for model in models]


def can_stack(model: SegmentationModel) -> bool:
    """Whether a model can be stacked with others like it; then it draws no random numbers.

    It is small, its image encoder is SAM's own, frozen, at most at its native size and with no
    adapter that the stack does not know, and its mask decoder is SAM's own.
    """
    if not _is_small(model) or type(model) is not Segmenter:
        return False
    encoder: Any = without_prompts(model.image_encoder)
    if type(model.image_encoder) not in _ENCODERS or any(
        type(block) not in _BLOCKS for block in encoder.blocks
    ):
        return False
    backbone = _small_backbone(encoder)
    in_adapters = set(chain.from_iterable(adapter.modules() for adapter in model.adapters))
    return (
        backbone is not None
        and encoder.img_size <= BACKBONES[backbone].image_size_px
        and not any(value.requires_grad for value in [encoder.pos_embed, *_frozen_values(encoder)])
        and all(_is_plain(module) for module in model.modules() if module not in in_adapters)
        and _structures(encoder, model.mask_decoder) == _sams_structures(backbone)
    )


def _stacks(models: tuple[Segmenter, ...]) -> list[tuple[list[Segmenter], Stack]]:
    """Stacks of all models that can be stacked, one for each frozen image encoder."""
    groups: list[list[Segmenter]] = []
    for model in filter(can_stack, models):
        group = next((each for each in groups if _share_an_encoder(each[0], model)), None)
        if group is None:
            groups.append([model])
        else:
            group.append(model)
    return [(group, Stack(group)) for group in groups]


class _Newest(threading.local):
    """The newest stacks of a thread: prediction gives each device one, and models of its own."""

    def __init__(self) -> None:
        self.stacks = lru_cache(maxsize=1)(_stacks)


_newest = _Newest()


def _share_an_encoder(one: Segmenter, other: Segmenter) -> bool:
    """Whether two models have one frozen image encoder and equal positional encodings.

    Position embeddings that were resized are copies: they are compared by their values.
    """
    encoders: list[Any] = [without_prompts(model.image_encoder) for model in (one, other)]
    first, second = ([value.data_ptr() for value in _frozen_values(each)] for each in encoders)
    return (
        first == second
        and torch.equal(encoders[0].pos_embed, encoders[1].pos_embed)
        and torch.equal(one.image_pe, other.image_pe)
    )


def _is_small(model: SegmentationModel) -> TypeGuard[Segmenter]:
    """Whether it is built on a small SAM: a quick look."""
    if not isinstance(model, Segmenter):
        return False
    return _small_backbone(without_prompts(model.image_encoder)) is not None


def _small_backbone(encoder: nn.Module) -> BackboneName | None:
    """The small SAM that has this geometry."""
    if not isinstance(encoder, ImageEncoderViT):
        return None
    depth, width = len(encoder.blocks), encoder.pos_embed.shape[-1]
    for name, backbone in BACKBONES.items():
        if backbone.is_small and (backbone.depth, backbone.width) == (depth, width):
            return name
    return None


# Structure ------------------------------------------------------------------------------------


def _frozen_parts(encoder: Any) -> list[nn.Module]:
    """What the stack shares of an encoder."""
    return [encoder.patch_embed, *(without_atl(block) for block in encoder.blocks), encoder.neck]


def _frozen_values(encoder: Any) -> list[nn.Parameter]:
    return [value for part in _frozen_parts(encoder) for value in part.parameters()]


def _is_plain(module: nn.Module) -> bool:
    """Whether calling a module runs its class's own ``forward`` and nothing else."""
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or module._compiled_call_impl
        or "forward" in module.__dict__
    )


def _structures(encoder: Any, decoder: nn.Module) -> list[list[tuple[Any, ...]]]:
    """By part: name, class, plain attributes and shapes of parameters of every module in it."""
    return [
        [
            (
                name,
                type(module),
                {key: value for key, value in vars(module).items() if _is_attribute(key)},
                {key: value.shape for key, value in module.named_parameters(recurse=False)},
            )
            for name, module in part.named_modules()
        ]
        for part in (*_frozen_parts(encoder), decoder)
    ]


def _is_attribute(name: str) -> bool:
    return not name.startswith("_") and name != "training"


@cache
def _sams_structures(backbone: BackboneName) -> list[list[tuple[Any, ...]]]:
    sam = sam_without_weights(backbone)
    return _structures(sam.image_encoder, sam.mask_decoder)
