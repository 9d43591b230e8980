"""The words of ablate as frozen pydantic models. Imports neither torch nor the file system."""

from ablate.spec.adapter import Adapter, AtlAdapter, AtlReleasedAdapter, MidLay, NoAdapter
from ablate.spec.backbone import BACKBONES, PATCH_SIZE_PX, Backbone, BackboneName
from ablate.spec.block_adapters import AdaptFormerAdapter, BottleneckAdapter, SsfAdapter
from ablate.spec.canonical import canonical_json, digest_of
from ablate.spec.frozen import Cell, Frozen
from ablate.spec.match import Match, value_at
from ablate.spec.own_adapter import OwnAdapter
from ablate.spec.peft_adapter import PeftAdapter, PeftTarget
from ablate.spec.pixels import LinearScale, MaskValues, PercentileScale, Scale
from ablate.spec.protocol import (
    BijieData,
    CocoData,
    ColorJitter,
    Data,
    FoldersData,
    GeneratedData,
    Landslide4SenseData,
    Loss,
    Protocol,
    PublishedSplit,
)
from ablate.spec.repeat import Repeat, repeats_text
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
from ablate.spec.sites import chosen_blocks
from ablate.spec.split import (
    MAX_SPLITS,
    FoldersSplit,
    GroupsSplit,
    HeldOutTest,
    HoldoutSplit,
    InnerSplit,
    KFoldSplit,
    ListsSplit,
    OuterSplit,
    Split,
    numbered,
)
from ablate.spec.sweep import Comparison, Sweep
from ablate.spec.task import METRIC_NAMES, MetricName, Task
from ablate.spec.tuning import Domain, Scalar, Tuning
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
    "MAX_SPLITS",
    "METRIC_NAMES",
    "NANO_WEIGHTS",
    "PATCH_SIZE_PX",
    "RESNETS",
    "AdaptFormerAdapter",
    "Adapter",
    "Architecture",
    "ArchitectureName",
    "AtlAdapter",
    "AtlReleasedAdapter",
    "Backbone",
    "BackboneName",
    "BijieData",
    "BottleneckAdapter",
    "Cell",
    "CnnVariant",
    "CocoData",
    "ColorJitter",
    "Comparison",
    "Context",
    "Data",
    "DataIdentity",
    "Domain",
    "Everything",
    "FoldersData",
    "FoldersSplit",
    "Frozen",
    "GeneratedData",
    "GroupsSplit",
    "HeldOutTest",
    "HoldoutSplit",
    "InnerSplit",
    "InteriorPoints",
    "KFoldSplit",
    "Landslide4SenseData",
    "LinearScale",
    "ListsSplit",
    "Loss",
    "MaskValues",
    "Match",
    "MetricName",
    "MidLay",
    "NoAdapter",
    "OuterSplit",
    "OwnAdapter",
    "PeftAdapter",
    "PeftTarget",
    "PercentileScale",
    "Prompts",
    "Protocol",
    "PublishedSplit",
    "Repeat",
    "ResNet",
    "ResNetIdentity",
    "ResNetName",
    "RunSpec",
    "SamVariant",
    "Scalar",
    "Scale",
    "Split",
    "SsfAdapter",
    "Sweep",
    "Task",
    "Tuning",
    "Variant",
    "WeightsIdentity",
    "ZeroShotVariant",
    "canonical_json",
    "chosen_blocks",
    "digest_of",
    "numbered",
    "random_resnet",
    "repeats_text",
    "value_at",
]
