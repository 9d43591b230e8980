"""For each field of each spec: values that differ in it alone, and what shows the difference."""

from changes import Change
from layouts import divided
from observed_protocols import classes_used, fitted, opened
from observed_variants import logits, mask, mask_and_moved
from protocol_changes import (
    COCO,
    COCO_SCALED,
    FOLDERS,
    FOLDS,
    GENERATED,
    INNER,
    LANDSLIDE4SENSE,
    LINEAR,
    LISTS,
    PARTS,
    PATTERN,
    PERCENTILES,
    PROTOCOL_CHANGES,
    READY,
    SHORT,
    inner,
    with_data,
)
from structures import DECODER_ONLY
from sweep_changes import SWEEP_CHANGES
from variant_changes import (
    ADAPTFORMER,
    AS_RELEASED,
    ATL,
    BOTTLENECK,
    CNN,
    EVERYTHING,
    LORA,
    POINTS,
    SSF,
    VARIANT_CHANGES,
)

CHANGES: dict[str, Change] = {
    **VARIANT_CHANGES,
    **PROTOCOL_CHANGES,
    **SWEEP_CHANGES,
}

# One spec for each member of each union, by the field that holds it. What names the member
# (``kind``, ``system``) decides what is built.
UNIONS: dict[str, Change] = {
    "Variant": Change((ATL, CNN, POINTS), mask_and_moved),
    "SamVariant.adapter": Change(
        (ATL, AS_RELEASED, LORA, ADAPTFORMER, SSF, BOTTLENECK, DECODER_ONLY), logits
    ),
    "ZeroShotVariant.prompts": Change((POINTS, EVERYTHING), mask),
    "Protocol.data": Change(
        (with_data(kind="bijie"), FOLDERS, COCO, LANDSLIDE4SENSE, GENERATED), opened
    ),
    "FoldersData.scale": Change((LINEAR, PERCENTILES), fitted),
    "CocoData.scale": Change(COCO_SCALED, fitted),
    "Protocol.split": Change((PARTS, FOLDS, PATTERN, LISTS, READY, INNER), divided),
    "InnerSplit.of": Change(tuple(map(inner, (PARTS, FOLDS, PATTERN, LISTS, READY))), divided),
}

# Fields with a single value, and the class that it stands for in a run.
NAMED: dict[str, str] = {
    "AdamW.kind": "AdamW",
    "Cosine.kind": "CosineAnnealingLR",
}


def named() -> set[str]:
    """The classes that a run uses."""
    return classes_used(SHORT)
