"""What is trained and evaluated: SAM with adapters, unadapted SAM (zero-shot), CNN baselines.

SAM is built from a variant, frozen module by module, and decoded without prompts; only
``zero_shot`` prompts it.
"""

from ablate.models.cnn import Cnn, build_cnn
from ablate.models.counting import count
from ablate.models.ensemble import can_stack, forward_together
from ablate.models.interface import SegmentationModel
from ablate.models.merging import merged
from ablate.models.parts import Part, parts_of
from ablate.models.resnets import load_resnet
from ablate.models.sam import (
    build,
    load_weights,
    with_half_precision_encoder,
    with_random_encoder,
    with_random_prompts,
)
from ablate.models.segmenter import Segmenter
from ablate.models.zero_shot import ZeroShot, build_zero_shot

__all__ = [
    "Cnn",
    "Part",
    "SegmentationModel",
    "Segmenter",
    "ZeroShot",
    "build",
    "build_cnn",
    "build_zero_shot",
    "can_stack",
    "count",
    "forward_together",
    "load_resnet",
    "load_weights",
    "merged",
    "parts_of",
    "with_half_precision_encoder",
    "with_random_encoder",
    "with_random_prompts",
]
