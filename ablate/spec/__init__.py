"""The words of ablate as frozen pydantic models. Imports neither torch nor the file system."""

from ablate.spec.adapter import Adapter, AtlAdapter, AtlReleasedAdapter, Cell, MidLay, NoAdapter
from ablate.spec.backbone import BACKBONES, PATCH_SIZE_PX, Backbone, BackboneName
from ablate.spec.canonical import canonical_json, digest_of
from ablate.spec.cnn_parts import encoder_layers, head_layers
from ablate.spec.counting import ParameterCount, count_cnn_parameters, count_parameters
from ablate.spec.frozen import Frozen
from ablate.spec.layer import Layer, parameters_of
from ablate.spec.protocol import (
    BijieData,
    ColorJitter,
    Data,
    FoldersData,
    GeneratedData,
    HoldoutSplit,
    Landslide4SenseData,
    Loss,
    Protocol,
    PublishedSplit,
    Split,
)
from ablate.spec.resnet import (
    ARCHITECTURES,
    RESNETS,
    Architecture,
    ArchitectureName,
    ResNet,
    ResNetName,
)
from ablate.spec.run import (
    ENGINE_VERSION,
    NANO_WEIGHTS,
    Context,
    DataIdentity,
    ResNetIdentity,
    RunSpec,
    WeightsIdentity,
    random_resnet,
)
from ablate.spec.sam_parts import sam_layers
from ablate.spec.structure import layers, shared_layers, site_count
from ablate.spec.sweep import Comparison, Sweep
from ablate.spec.task import METRIC_NAMES, MetricName, Task
from ablate.spec.variant import (
    CnnVariant,
    Everything,
    InteriorPoints,
    Prompts,
    SamVariant,
    Variant,
    ZeroShotVariant,
)

__all__ = [
    "ARCHITECTURES",
    "BACKBONES",
    "ENGINE_VERSION",
    "METRIC_NAMES",
    "NANO_WEIGHTS",
    "PATCH_SIZE_PX",
    "RESNETS",
    "Adapter",
    "Architecture",
    "ArchitectureName",
    "AtlAdapter",
    "AtlReleasedAdapter",
    "Backbone",
    "BackboneName",
    "BijieData",
    "Cell",
    "CnnVariant",
    "ColorJitter",
    "Comparison",
    "Context",
    "Data",
    "DataIdentity",
    "Everything",
    "FoldersData",
    "Frozen",
    "GeneratedData",
    "HoldoutSplit",
    "InteriorPoints",
    "Landslide4SenseData",
    "Layer",
    "Loss",
    "MetricName",
    "MidLay",
    "NoAdapter",
    "ParameterCount",
    "Prompts",
    "Protocol",
    "PublishedSplit",
    "ResNet",
    "ResNetIdentity",
    "ResNetName",
    "RunSpec",
    "SamVariant",
    "Split",
    "Sweep",
    "Task",
    "Variant",
    "WeightsIdentity",
    "ZeroShotVariant",
    "canonical_json",
    "count_cnn_parameters",
    "count_parameters",
    "digest_of",
    "encoder_layers",
    "head_layers",
    "layers",
    "parameters_of",
    "random_resnet",
    "sam_layers",
    "shared_layers",
    "site_count",
]
