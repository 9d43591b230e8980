"""The words of ablate as frozen pydantic models. Imports neither torch nor the file system."""

from ablate.spec.backbone import BACKBONES, PATCH_SIZE_PX, Backbone, BackboneName
from ablate.spec.base import Frozen, canonical_json, digest_of
from ablate.spec.protocol import (
    BijieData,
    ColorJitter,
    Data,
    FoldersData,
    GeneratedData,
    Landslide4SenseData,
    Loss,
    Protocol,
    PublishedSplit,
    Split,
)
from ablate.spec.run import (
    ENGINE_VERSION,
    NANO_WEIGHTS,
    Context,
    DataIdentity,
    RunSpec,
    WeightsIdentity,
)
from ablate.spec.structure import Layer, layers, midlay_text, shared_layers, site_count
from ablate.spec.sweep import Comparison, Sweep
from ablate.spec.variant import (
    Adapter,
    AtlAdapter,
    AtlReleasedAdapter,
    MidLay,
    NoAdapter,
    SamVariant,
    Variant,
)

__all__ = [
    "BACKBONES",
    "ENGINE_VERSION",
    "NANO_WEIGHTS",
    "PATCH_SIZE_PX",
    "Adapter",
    "AtlAdapter",
    "AtlReleasedAdapter",
    "Backbone",
    "BackboneName",
    "BijieData",
    "ColorJitter",
    "Comparison",
    "Context",
    "Data",
    "DataIdentity",
    "FoldersData",
    "Frozen",
    "GeneratedData",
    "Landslide4SenseData",
    "Layer",
    "Loss",
    "MidLay",
    "NoAdapter",
    "Protocol",
    "PublishedSplit",
    "RunSpec",
    "SamVariant",
    "Split",
    "Sweep",
    "Variant",
    "WeightsIdentity",
    "canonical_json",
    "digest_of",
    "layers",
    "midlay_text",
    "shared_layers",
    "site_count",
]
