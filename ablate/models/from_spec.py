"""From a run's spec to its model, for training and for prediction alike."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ablate.models.cnn import build_cnn
from ablate.models.interface import SegmentationModel
from ablate.models.sam import (
    build,
    load_weights,
    with_half_precision_encoder,
    with_random_encoder,
    with_random_prompts,
)
from ablate.models.zero_shot import ZeroShot, build_zero_shot
from ablate.spec import BACKBONES, CnnVariant, RunSpec, SamVariant, ZeroShotVariant


def is_from_file(spec: RunSpec) -> bool:
    """Whether the run's SAM starts from a file of weights that is no part of ablate."""
    return BACKBONES[spec.context.weights.backbone].checkpoint is not None


def encoder_weights(spec: RunSpec) -> str:
    """Where the values of the frozen image encoder come from."""
    return spec.variant.encoder_weights if isinstance(spec.variant, SamVariant) else "pretrained"


def sam_weights(spec: RunSpec, checkpoint: Path | None, *, half: bool) -> dict[str, Tensor]:
    """The weights of the SAM that a run is built on, on the CPU; files are mapped, not read.

    Args:
        spec: A run of SAM, adapted or not.
        checkpoint: The file; None where ``is_from_file`` is false.
        half: Whether the products of the frozen image encoder are held in bfloat16.

    Raises:
        WeightsError: As ``load_weights``.
    """
    backbone = spec.context.weights.backbone
    weights = load_weights(backbone, checkpoint)
    if encoder_weights(spec) == "random":
        weights = with_random_encoder(weights, backbone, spec.seed)
    return with_half_precision_encoder(weights, backbone) if half else weights


def build_model(
    spec: RunSpec, weights: Mapping[str, Tensor], device: torch.device
) -> SegmentationModel | ZeroShot:
    """The run's variant on a device, as its training begins.

    Args:
        spec: The run.
        weights: Of ``sam_weights``, on the device, or a ResNet's; empty where a CNN baseline
            starts from random values.
        device: Where it is to compute.
    """
    protocol, backbone = spec.context.protocol, spec.context.weights.backbone
    size_px = protocol.image_size_px
    model: SegmentationModel
    match spec.variant:
        case SamVariant():
            if protocol.prompt_weights == "random":
                weights = with_random_prompts(weights, spec.seed)
            model = build(
                spec.variant, backbone, image_size_px=size_px, weights=weights, seed=spec.seed
            )
        case CnnVariant():
            model = build_cnn(spec.variant, weights or None, spec.seed)
        case ZeroShotVariant():
            return build_zero_shot(
                spec.variant, backbone, image_size_px=size_px, weights=weights, device=device
            )
    return model.to(device)
