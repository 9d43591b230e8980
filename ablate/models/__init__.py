"""What is trained and evaluated: SAM with adapters, SAM as it is, and the rivals.

SAM is built by module from a variant, frozen by module and decoded without prompts; only
``zero_shot`` prompts it.
"""

from ablate.models.baselines import Cnn, build_cnn
from ablate.models.counting import count
from ablate.models.resnets import load_resnet
from ablate.models.sam import (
    build,
    load_weights,
    with_half_trunk,
    with_random_prompts,
    with_random_trunk,
)
from ablate.models.segmenter import Segmenter
from ablate.models.stacked import Stack
from ablate.models.trainable import TrainableModel
from ablate.models.zero_shot import ZeroShot, build_zero_shot

__all__ = [
    "Cnn",
    "Segmenter",
    "Stack",
    "TrainableModel",
    "ZeroShot",
    "build",
    "build_cnn",
    "build_zero_shot",
    "count",
    "load_resnet",
    "load_weights",
    "with_half_trunk",
    "with_random_prompts",
    "with_random_trunk",
]
