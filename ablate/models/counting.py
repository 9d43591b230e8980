"""Parameters of any variant, counted on modules without weights or memory."""

from ablate.models import sam
from ablate.models.cnn import count_cnn
from ablate.models.zero_shot import count_zero_shot
from ablate.runs import Parameters
from ablate.spec import BackboneName, CnnVariant, SamVariant, Variant


def count(variant: Variant, backbone: BackboneName) -> Parameters:
    """Counts what Table III of the paper counts.

    Args:
        variant: What is built.
        backbone: The SAM that it is built on; a rival has none.
    """
    if isinstance(variant, SamVariant):
        return sam.count(variant, backbone)
    if isinstance(variant, CnnVariant):
        return count_cnn(variant)
    return count_zero_shot(variant, backbone)
