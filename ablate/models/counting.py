"""Parameters of any variant, counted on its modules without weights or memory."""

import torch

from ablate.models.cnn import Cnn
from ablate.models.sam import assemble, sam_without_weights
from ablate.models.segmenter import Segmenter
from ablate.models.zero_shot import ZeroShot
from ablate.runs import Parameters
from ablate.spec import BackboneName, CnnVariant, SamVariant, Variant


def count(variant: Variant, backbone: BackboneName) -> Parameters:
    """Counts what Table III of the paper counts, at the native image size.

    Args:
        variant: What is built.
        backbone: The SAM that it is built on; a CNN baseline has none.
    """
    return model_without_values(variant, backbone).count_parameters()


def model_without_values(variant: Variant, backbone: BackboneName) -> Segmenter | Cnn | ZeroShot:
    """A variant's modules on the meta device, where parameters have shapes and no values.

    Args:
        variant: What is built.
        backbone: The SAM that it is built on; a CNN baseline has none.
    """
    if isinstance(variant, CnnVariant):
        with torch.device("meta"):
            return Cnn(variant)
    sam = sam_without_weights(backbone).requires_grad_(False)
    if isinstance(variant, SamVariant):
        return assemble(sam, variant, seed=0)
    return ZeroShot(sam, variant.prompts)
