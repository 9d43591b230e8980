"""How many parameters a variant has, from its geometry alone."""

from dataclasses import dataclass

from ablate.spec.backbone import BACKBONES, BackboneName
from ablate.spec.cnn_parts import encoder_layers, head_layers
from ablate.spec.layer import parameters_of
from ablate.spec.sam_parts import (
    image_encoder_parameters,
    mask_decoder_parameters,
    sam_layers,
)
from ablate.spec.structure import layers, shared_layers, site_count
from ablate.spec.variant import CnnVariant, SamVariant, Variant, ZeroShotVariant


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of a variant.

    Attributes:
        total: All that its masks depend on: without SAM's prompt encoder where it is not used
            (the paper's Table III).
        trainable: Those that are trained.
        adapter: Those of the adapters.
        sites: Number of adapters.
    """

    total: int
    trainable: int
    adapter: int
    sites: int


def count_parameters(variant: Variant, backbone: BackboneName) -> ParameterCount:
    """Counts a variant at the native image size without building it.

    Args:
        variant: Any system.
        backbone: The SAM that it is built on; it means nothing to a rival.
    """
    match variant:
        case SamVariant():
            return _adapted(variant, backbone)
        case CnnVariant():
            return count_cnn_parameters(variant)
        case ZeroShotVariant():
            total = parameters_of(sam_layers(BACKBONES[backbone]))
            return ParameterCount(total=total, trainable=0, adapter=0, sites=0)


def count_cnn_parameters(variant: CnnVariant, classes: int = 1) -> ParameterCount:
    """Counts a rival, all of which is trained.

    Args:
        variant: Which rival, with its auxiliary head or without.
        classes: Channels of the logits, see ``head_layers``.
    """
    total = parameters_of([*encoder_layers(variant), *head_layers(variant, classes)])
    return ParameterCount(total=total, trainable=total, adapter=0, sites=0)


def _adapted(variant: SamVariant, backbone: BackboneName) -> ParameterCount:
    geometry = BACKBONES[backbone]
    sites = site_count(variant.adapter, geometry)
    adapter = sites * parameters_of(layers(variant.adapter, geometry))
    adapter += parameters_of(shared_layers(variant.adapter, geometry))
    parts = {
        "adapter": adapter,
        "mask_decoder": mask_decoder_parameters(geometry),
        "no_mask_embedding": geometry.prompt_width,
    }
    trainable = sum(parts[part] for part in variant.trained)
    frozen = image_encoder_parameters(geometry)
    if "mask_decoder" not in variant.trained:
        frozen += parts["mask_decoder"]
    return ParameterCount(
        total=frozen + trainable, trainable=trainable, adapter=adapter, sites=sites
    )
