"""Values that differ in one field of a variant alone, and what shows the difference."""

from ablate.spec import (
    BACKBONES,
    CnnVariant,
    Everything,
    InteriorPoints,
    ZeroShotVariant,
)
from changes import along as _along
from changes import altered
from observed_sweeps import labelled
from observed_variants import fits, logits, loss, mask, matched, moved
from other_variants import IN_BLOCKS, METHODS, peft_variant
from structures import RELEASED, structure

ATL = structure(("m", "c"), "outside", residual=True, width=4)
AS_RELEASED = RELEASED["translandseg-released"]
ADAPTFORMER, SSF, BOTTLENECK = (IN_BLOCKS[kind] for kind in ("adaptformer", "ssf", "bottleneck"))
LORA = peft_variant("lora")
_LORA_ALONE = altered(LORA, "trained", ("adapter",))
CNN = CnnVariant(system="cnn", architecture="pspnet")
POINTS = ZeroShotVariant(system="sam-zero-shot", prompts=InteriorPoints(kind="interior-points"))
# SAM-nano rates its masks lower than SAM does: without thresholds, some are left.
EVERYTHING = ZeroShotVariant(
    system="sam-zero-shot",
    prompts=Everything(kind="everything", points_per_side=3, min_quality=0.0, min_stability=0.0),
)
_LABELS = (None, "A row", "Another row")
_BACKBONES = (None, *BACKBONES)
_TRAINED = (
    ("adapter",),
    ("adapter", "mask_decoder"),
    ("adapter", "no_mask_embedding"),
    ("adapter", "mask_decoder", "no_mask_embedding"),
    ("adapter", "encoder_norms"),
    ("adapter", "encoder_biases"),
    ("adapter", "encoder"),
)

# With MidLay c, both the width and the kernel's side change the number of parameters; from this
# width, both come near the target.
_MATCHED = altered(
    altered(ATL, "adapter.width", 6),
    "match",
    {"parameters": "translandseg-d24", "field": "adapter.width"},
)

_VARIANTS = {
    "SamVariant.match": _along(_MATCHED, "match", (None, _MATCHED.model_dump()["match"]), matched),
    "Match.parameters": _along(
        _MATCHED, "match.parameters", ("translandseg-d24", "translandseg"), matched
    ),
    "Match.field": _along(
        _MATCHED, "match.field", ("adapter.width", "adapter.kernel_size"), matched
    ),
    "SamVariant.label": _along(ATL, "label", _LABELS, labelled),
    "SamVariant.backbone": _along(ATL, "backbone", _BACKBONES, fits),
    "SamVariant.trained": _along(ATL, "trained", _TRAINED, moved),
    "CnnVariant.label": _along(CNN, "label", _LABELS, labelled),
    "CnnVariant.architecture": _along(
        CNN,
        "architecture",
        ("pspnet", "deeplabv3plus", "ccnet", "unet"),
        logits,
    ),
    "CnnVariant.auxiliary_weight": _along(CNN, "auxiliary_weight", (None, 0.4, 0.8), loss),
    "ZeroShotVariant.label": _along(POINTS, "label", _LABELS, labelled),
    "ZeroShotVariant.backbone": _along(POINTS, "backbone", _BACKBONES, fits),
    "Everything.points_per_side": _along(EVERYTHING, "prompts.points_per_side", (3, 2), mask),
    "Everything.min_quality": _along(EVERYTHING, "prompts.min_quality", (0.0, 1.0), mask),
    "Everything.min_stability": _along(EVERYTHING, "prompts.min_stability", (0.0, 1.0), mask),
}

_ADAPTERS = {
    f"{type(variant.adapter).__name__}.{field}": _along(variant, f"adapter.{field}", values, logits)
    for variant, field, values in (
        (ATL, "midlays", (("m",), ("c",), ("m", "c"), ("c", "m"))),
        (ATL, "placement", ("outside", "inside")),
        (ATL, "residual", (True, False)),
        (ATL, "width", (4, 5)),
        (ATL, "kernel_size", (3, 5)),
        (ATL, "up_init", ("zero", "default")),
        (ATL, "sites", ("all", "between", "late", (0, 2))),
        (AS_RELEASED, "midlays", (("m",), ("m", "m"), ("c", "c", "c"))),
        (AS_RELEASED, "width", (32, 16)),
        (ADAPTFORMER, "width", (8, 4)),
        (ADAPTFORMER, "scale", (0.1, 1.0)),
        (ADAPTFORMER, "sites", ("all", "late", (0, 2))),
        (SSF, "sites", ("all", "late", (0, 2))),
        (BOTTLENECK, "width", (8, 4)),
        (BOTTLENECK, "arrangement", ("series", "parallel", "mixed")),
        (BOTTLENECK, "sites", ("all", "late", (0, 2))),
        (LORA, "method", METHODS),
        (LORA, "rank", (None, 4)),
        (LORA, "alpha", (None, 16)),
        (
            LORA,
            "target",
            (("q",), ("k",), ("v",), ("proj",), ("lin1",), ("lin2",), ("q", "v")),
        ),
        (_LORA_ALONE, "on", ("encoder", "decoder", "both")),
        (LORA, "sites", ("all", "late", (0, 2))),
    )
}

VARIANT_CHANGES = _VARIANTS | _ADAPTERS
