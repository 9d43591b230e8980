"""For each field of each spec: values that differ in it alone, and what shows the difference."""

from typing import Any

from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    METRIC_NAMES,
    CnnVariant,
    Comparison,
    Everything,
    InteriorPoints,
    Protocol,
    SamVariant,
    Sweep,
    ZeroShotVariant,
)
from changes import Change, altered
from changes import along as _along
from field_observations import (
    built_on,
    classes_used,
    compiled,
    counted,
    fits,
    fitted,
    ground,
    labelled,
    logits,
    loss,
    mask,
    mask_and_moved,
    matched,
    moved,
    opened,
    planned,
    reported,
    reported_under,
    trained,
    trained_in_its_precision,
    tuned,
    watermarked,
)
from layouts import divided
from other_variants import IN_BLOCKS, METHODS, peft_variant
from structures import DECODER_ONLY, RELEASED, structure

# Variants ---------------------------------------------------------------------------------

_ATL = structure(("m", "c"), "outside", residual=True, width=4)
_RELEASED = RELEASED["translandseg-released"]
_ADAPTFORMER, _SSF, _BOTTLENECK = (IN_BLOCKS[kind] for kind in ("adaptformer", "ssf", "bottleneck"))
_LORA = peft_variant("lora")
_LORA_ALONE = altered(_LORA, "trained", ("adapter",))
_CNN = CnnVariant(system="cnn", architecture="pspnet")
_POINTS = ZeroShotVariant(system="sam-zero-shot", prompts=InteriorPoints(kind="interior-points"))
# SAM-nano rates its masks lower than SAM does: without thresholds, some are left.
_EVERYTHING = ZeroShotVariant(
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
    altered(_ATL, "adapter.width", 6),
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
    "SamVariant.label": _along(_ATL, "label", _LABELS, labelled),
    "SamVariant.backbone": _along(_ATL, "backbone", _BACKBONES, fits),
    "SamVariant.trained": _along(_ATL, "trained", _TRAINED, moved),
    "CnnVariant.label": _along(_CNN, "label", _LABELS, labelled),
    "CnnVariant.architecture": _along(
        _CNN,
        "architecture",
        ("pspnet", "deeplabv3plus", "ccnet", "unet"),
        logits,
    ),
    "CnnVariant.auxiliary_weight": _along(_CNN, "auxiliary_weight", (None, 0.4, 0.8), loss),
    "ZeroShotVariant.label": _along(_POINTS, "label", _LABELS, labelled),
    "ZeroShotVariant.backbone": _along(_POINTS, "backbone", _BACKBONES, fits),
    "Everything.points_per_side": _along(_EVERYTHING, "prompts.points_per_side", (3, 2), mask),
    "Everything.min_quality": _along(_EVERYTHING, "prompts.min_quality", (0.0, 1.0), mask),
    "Everything.min_stability": _along(_EVERYTHING, "prompts.min_stability", (0.0, 1.0), mask),
}

_ADAPTERS = {
    f"{type(variant.adapter).__name__}.{field}": _along(variant, f"adapter.{field}", values, logits)
    for variant, field, values in (
        (_ATL, "midlays", (("m",), ("c",), ("m", "c"), ("c", "m"))),
        (_ATL, "placement", ("outside", "inside")),
        (_ATL, "residual", (True, False)),
        (_ATL, "width", (4, 5)),
        (_ATL, "kernel_size", (3, 5)),
        (_ATL, "up_init", ("zero", "default")),
        (_ATL, "sites", ("all", "between", "late", (0, 2))),
        (_RELEASED, "midlays", (("m",), ("m", "m"), ("c", "c", "c"))),
        (_RELEASED, "width", (32, 16)),
        (_ADAPTFORMER, "width", (8, 4)),
        (_ADAPTFORMER, "scale", (0.1, 1.0)),
        (_ADAPTFORMER, "sites", ("all", "late", (0, 2))),
        (_SSF, "sites", ("all", "late", (0, 2))),
        (_BOTTLENECK, "width", (8, 4)),
        (_BOTTLENECK, "arrangement", ("series", "parallel", "mixed")),
        (_BOTTLENECK, "sites", ("all", "late", (0, 2))),
        (_LORA, "method", METHODS),
        (_LORA, "rank", (None, 4)),
        (_LORA, "alpha", (None, 16)),
        (
            _LORA,
            "target",
            (("q",), ("k",), ("v",), ("proj",), ("lin1",), ("lin2",), ("q", "v")),
        ),
        (_LORA_ALONE, "on", ("encoder", "decoder", "both")),
        (_LORA, "sites", ("all", "late", (0, 2))),
    )
}


# Protocols --------------------------------------------------------------------------------

_SHORT = Catalogue().protocol(
    "demo",
    [
        "epochs=1",
        "batch_size=2",
        "image_size_px=64",
        "data={kind: generated, seed: 1, count: 6, size_px: 64}",
        "color_jitter={brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}",
    ],
)
_LONGER = altered(_SHORT, "epochs", 2)
# Such a decay flips the sign of all weights in each step and enlarges them (1 - lr·decay = -1.5):
# the first epoch is the best.
_FAST = {"kind": "adamw", "lr": 0.01, "weight_decay": 250.0}
_WORSENING = altered(altered(_LONGER, "optimizer", _FAST), "schedule.lr_min", 0.01)
_SMALL = altered(_SHORT, "image_size_px", 32)
_PUBLISHED = altered(_SHORT, "published_split", {"train": 10, "validation": 5})


def _with_data(**data: Any) -> Protocol:
    return altered(_SMALL, "data", data)


_GENERATED = _with_data(kind="generated", seed=1, count=3, size_px=64)
_FOLDERS = _with_data(kind="folders", images="left", masks="masks")
_LINEAR = altered(_FOLDERS, "data.scale", {"kind": "linear", "low": 0, "high": 200})
_PERCENTILES = altered(_FOLDERS, "data.scale", {"kind": "percentiles", "low": 0, "high": 98})
_MASK_VALUES = altered(_FOLDERS, "data.mask_values", {"positive": (255,)})
_THRESHOLD = altered(_FOLDERS, "data.mask_values", {"threshold": 127.0})
_THRESHOLD_0 = altered(_FOLDERS, "data.mask_values", {"threshold": -1.0})
_LANDSLIDE4SENSE = _with_data(kind="landslide4sense", scale=25.5)
_PARTS = _with_data(
    kind="folders",
    images="parts",
    masks="parts",
    image="{folder}/{stem}.bmp",
    mask="{folder}/{stem}_label.png",
)
_COCO = _with_data(kind="coco", images="left", annotations="one.json", categories=("slide",))
_COCO_PARTS = _with_data(kind="coco", images="left", annotations="{folder}.json", folders=("one",))
_COCO_ALL = _with_data(kind="coco", images="left", annotations="all.json")
_COCO_SCALED = tuple(
    altered(_COCO_ALL, "data.scale", {"kind": kind, "low": 0, "high": 98})
    for kind in ("linear", "percentiles")
)
_LISTS = altered(_PARTS, "split", {"kind": "lists", "train": "ab.txt", "validation": "c.txt"})
_READY = altered(_PARTS, "split", {"kind": "folders", "train": "one", "validation": "two"})
_FOLDS = altered(_PARTS, "split", {"kind": "kfold", "folds": 3, "seed": 1})
_GROUPS = altered(
    _PARTS,
    "split",
    {"kind": "groups", "file": "pairs.csv", "validation_share": 0.5, "seed": 0},
)
_PATTERN = altered(
    _PARTS,
    "split",
    {"kind": "groups", "pattern": "(?P<group>.)$", "validation_share": 0.3, "seed": 0},
)
_TESTED = altered(_PARTS, "split.test", {"share": 0.3, "seed": 0})


def _with_test(protocol: Protocol) -> Change:
    return _along(protocol, "split.test", (None, {"share": 0.3, "seed": 0}), divided)


def _inner(outer: Protocol) -> Protocol:
    of = outer.split.model_dump()
    return altered(outer, "split", {"kind": "inner", "of": of, "validation_share": 0.5, "seed": 0})


_INNER = _inner(_PARTS)

_OF_MASKS = altered(_SHORT, "task.metrics", ("boundary_iou", "small_object_recall"))

_PROTOCOLS = {
    "Protocol.name": _along(_SHORT, "name", ("first", "second"), watermarked),
    "Protocol.overrides": _along(_SHORT, "overrides", ((), ("epochs=3",)), watermarked),
    "Task.positive_class": _along(
        _SHORT, "task.positive_class", ("landslide", "water"), reported_under
    ),
    "Task.metrics": _along(
        _SHORT,
        "task.metrics",
        (
            METRIC_NAMES,
            METRIC_NAMES[::-1],
            ("miou",),
            ("f1", "positive_iou"),
            ("miou", "boundary_iou"),
            ("miou", "small_object_recall"),
        ),
        reported_under,
    ),
    "Task.boundary_width": _along(_OF_MASKS, "task.boundary_width", (0.02, 0.2), counted),
    "Task.small_object_px": _along(_OF_MASKS, "task.small_object_px", (1024, 8), counted),
    "Task.small_object_share": _along(_OF_MASKS, "task.small_object_share", (0.5, 0.9), counted),
    "Task.threshold": _along(_SHORT, "task.threshold", (0.5, 0.05), trained),
    "Protocol.published_split": _along(
        _SHORT, "published_split", (None, {"train": 10, "validation": 5}), watermarked
    ),
    "PublishedSplit.train": _along(_PUBLISHED, "published_split.train", (10, 11), watermarked),
    "PublishedSplit.validation": _along(
        _PUBLISHED, "published_split.validation", (5, 6), watermarked
    ),
    "Protocol.backbone": _along(_SHORT, "backbone", tuple(BACKBONES), built_on),
    "Protocol.precision": _along(
        _SHORT, "precision", ("float32", "tf32", "bfloat16"), trained_in_its_precision
    ),
    "Protocol.compile": _along(_SHORT, "compile", (False, True), compiled),
    "Cosine.lr_min": _along(_LONGER, "schedule.lr_min", (1e-5, 1e-3), trained),
    "Protocol.selection": _along(_WORSENING, "selection", ("validation-loss", "last"), trained),
    "GeneratedData.seed": _along(_GENERATED, "data.seed", (1, 2), opened),
    "GeneratedData.count": _along(_GENERATED, "data.count", (3, 4), opened),
    "GeneratedData.size_px": _along(_GENERATED, "data.size_px", (64, 48), opened),
    "FoldersData.images": _along(_FOLDERS, "data.images", ("left", "right"), opened),
    "FoldersData.masks": _along(_FOLDERS, "data.masks", ("masks", "other-masks"), opened),
    "FoldersData.image": _along(
        _PARTS, "data.image", ("{folder}/{stem}.bmp", "{folder}/{stem}.webp"), opened
    ),
    "FoldersData.mask": _along(
        _PARTS, "data.mask", ("{folder}/{stem}_label.png", "{folder}/{stem}_other.png"), opened
    ),
    "FoldersData.folders": _along(_PARTS, "data.folders", ((), ("one",), ("one", "three")), opened),
    "FoldersData.mask_values": Change((_FOLDERS, _THRESHOLD_0), opened),
    "FoldersData.bands": _along(_FOLDERS, "data.bands", (None, (2, 1, 0), (0, 0, 0)), opened),
    "FoldersData.ground_resolution_m": _along(
        _FOLDERS, "data.ground_resolution_m", (None, 0.5, 2.0), ground
    ),
    "CocoData.ground_resolution_m": _along(
        _COCO, "data.ground_resolution_m", (None, 0.5, 2.0), ground
    ),
    "LinearScale.low": _along(_LINEAR, "data.scale.low", (0.0, 50.0), opened),
    "LinearScale.high": _along(_LINEAR, "data.scale.high", (200.0, 255.0), opened),
    "PercentileScale.low": _along(_PERCENTILES, "data.scale.low", (0.0, 10.0), fitted),
    "PercentileScale.high": _along(_PERCENTILES, "data.scale.high", (98.0, 90.0), fitted),
    "MaskValues.positive": _along(
        _MASK_VALUES, "data.mask_values.positive", ((255,), (0, 255)), opened
    ),
    "MaskValues.negative": _along(_MASK_VALUES, "data.mask_values.negative", ((), (7,)), fitted),
    "MaskValues.threshold": _along(_THRESHOLD, "data.mask_values.threshold", (-1.0, 127.0), opened),
    "CocoData.images": _along(_COCO, "data.images", ("left", "right"), opened),
    "CocoData.annotations": _along(_COCO, "data.annotations", ("one.json", "two.json"), opened),
    "CocoData.categories": _along(_COCO, "data.categories", ((), ("slide",), ("rock",)), opened),
    "CocoData.folders": _along(_COCO_PARTS, "data.folders", (("one",), ("two",)), opened),
    "CocoData.bands": _along(_COCO, "data.bands", (None, (2, 1, 0), (0, 0, 0)), opened),
    "ListsSplit.train": _along(_LISTS, "split.train", ("ab.txt", "a.txt"), divided),
    "ListsSplit.validation": _along(_LISTS, "split.validation", ("c.txt", "cd.txt"), divided),
    "ListsSplit.test": _along(_LISTS, "split.test", (None, "cd.txt"), divided),
    "FoldersSplit.train": _along(_READY, "split.train", ("one", "three"), divided),
    "FoldersSplit.validation": _along(_READY, "split.validation", ("two", "three"), divided),
    "HoldoutSplit.test": _with_test(_PARTS),
    "HeldOutTest.share": _along(_TESTED, "split.test.share", (0.3, 0.5), divided),
    "HeldOutTest.seed": _along(_TESTED, "split.test.seed", (0, 1), divided),
    "KFoldSplit.folds": _along(_FOLDS, "split.folds", (3, 4), divided),
    "KFoldSplit.seed": _along(_FOLDS, "split.seed", (1, 2), divided),
    "KFoldSplit.fold": _along(_FOLDS, "split.fold", (0, 1, 2), divided),
    "KFoldSplit.test": _with_test(_FOLDS),
    "GroupsSplit.file": _along(_GROUPS, "split.file", ("pairs.csv", "others.csv"), divided),
    "GroupsSplit.pattern": _along(
        _PATTERN, "split.pattern", ("(?P<group>.)$", "^(?P<group>.)"), divided
    ),
    "GroupsSplit.validation_share": _along(_PATTERN, "split.validation_share", (0.3, 0.5), divided),
    "GroupsSplit.seed": _along(_PATTERN, "split.seed", (0, 1), divided),
    "GroupsSplit.test": _with_test(_PATTERN),
    "InnerSplit.validation_share": _along(_INNER, "split.validation_share", (0.5, 0.3), divided),
    "InnerSplit.seed": _along(_INNER, "split.seed", (0, 1), divided),
    "Landslide4SenseData.part": _along(
        _LANDSLIDE4SENSE, "data.part", ("TrainData", "ValidData", "TestData"), opened
    ),
    "Landslide4SenseData.channels": _along(
        _LANDSLIDE4SENSE, "data.channels", ((3, 2, 1), (1, 2, 3), (3, 2, 13)), opened
    ),
    "Landslide4SenseData.scale": _along(_LANDSLIDE4SENSE, "data.scale", (25.5, 12.0), opened),
}


def trained_shortly(variant: SamVariant) -> dict[str, object]:
    """What a short run of the variant leaves in its folder."""
    return trained(_SHORT, variant)


_STARTS = {
    "SamVariant.encoder_weights": _along(
        _ATL, "encoder_weights", ("pretrained", "random"), trained_shortly
    ),
}

_RECIPE = {
    name: _along(_SHORT, field, values, trained)
    for name, field, values in (
        ("Protocol.image_size_px", "image_size_px", (64, 80)),
        ("Protocol.mean", "mean", (_SHORT.mean, (0.485, 0.456, 0.5))),
        ("Protocol.std", "std", (_SHORT.std, (0.229, 0.224, 0.3))),
        ("Protocol.color_jitter", "color_jitter", (_SHORT.model_dump()["color_jitter"], None)),
        ("ColorJitter.brightness", "color_jitter.brightness", (0.4, 0.0)),
        ("ColorJitter.contrast", "color_jitter.contrast", (0.4, 0.0)),
        ("ColorJitter.saturation", "color_jitter.saturation", (0.4, 0.0)),
        ("ColorJitter.hue", "color_jitter.hue", (0.1, 0.0)),
        ("ColorJitter.images", "color_jitter.images", ("training", "all")),
        ("Protocol.prompt_weights", "prompt_weights", ("checkpoint", "random")),
        ("Protocol.epochs", "epochs", (1, 2)),
        ("Protocol.batch_size", "batch_size", (2, 3)),
        ("HoldoutSplit.seed", "split.seed", (42, 43)),
        ("HoldoutSplit.validation_share", "split.validation_share", (0.3, 0.5)),
        ("HoldoutSplit.rounding", "split.rounding", ("floor", "floor-plus-one")),
        ("AdamW.lr", "optimizer.lr", (2e-3, 1e-3)),
        ("AdamW.weight_decay", "optimizer.weight_decay", (0.01, 0.0)),
        ("Loss.bce", "loss.bce", (0.5, 0.25)),
        ("Loss.dice", "loss.dice", (0.5, 0.25)),
        ("Loss.dice_smooth", "loss.dice_smooth", (1.0, 100.0)),
    )
}


# Sweeps -----------------------------------------------------------------------------------

_ROWS = Sweep(
    name="mine",
    title="A table",
    protocol="short",
    seeds=(0, 1),
    baseline="translandseg",
    published="table4",
    comparisons=(Comparison(claim="A sentence", better="translandseg", worse=("translandseg-7",)),),
    variants=("translandseg", "translandseg-7", "translandseg-3"),
)
_FACTORS = Sweep(
    name="mine",
    title="A table",
    protocol="short",
    seeds=(0,),
    base="translandseg",
    factors={"adapter.width": (3, 5), "adapter.residual": (True, False)},
    zip={"adapter.placement": ("outside", "inside"), "adapter.up_init": ("zero", "default")},
)

_SWEEPS = {
    name: _along(spec, field, values, observe)
    for name, spec, field, values, observe in (
        ("Sweep.name", _ROWS, "name", ("mine", "yours"), reported),
        ("Sweep.title", _ROWS, "title", ("A table", "Another"), reported),
        ("Sweep.baseline", _ROWS, "baseline", ("translandseg", "translandseg-3", None), reported),
        ("Sweep.published", _ROWS, "published", ("table4", "table1", None), reported),
        (
            "Sweep.comparisons",
            _ROWS,
            "comparisons",
            (_ROWS.model_dump()["comparisons"], ()),
            reported,
        ),
        ("Sweep.protocol", _ROWS, "protocol", ("short", "long"), planned),
        ("Sweep.seeds", _ROWS, "seeds", ((0, 1), (0, 2), (0,)), planned),
        ("Sweep.splits", _ROWS, "splits", (1, 2), planned),
        (
            "Sweep.variants",
            _ROWS,
            "variants",
            (_ROWS.variants, _ROWS.variants[::-1], (*_ROWS.variants, "translandseg-1")),
            planned,
        ),
        ("Sweep.base", _FACTORS, "base", ("translandseg", "translandseg-1"), planned),
        (
            "Sweep.factors",
            _FACTORS,
            "factors",
            (_FACTORS.factors, {"adapter.width": (3, 6)}, {}),
            planned,
        ),
        (
            "Sweep.zip",
            _FACTORS,
            "zip",
            (_FACTORS.zip, {"adapter.placement": ("outside", "inside")}, {}),
            planned,
        ),
        (
            "Sweep.match",
            _ROWS,
            "match",
            (None, {"parameters": "translandseg-d24"}),
            planned,
        ),
        (
            "Sweep.exclude",
            _FACTORS,
            "exclude",
            ((), ({"adapter.width": 3},), ({"adapter.width": 3, "adapter.placement": "inside"},)),
            planned,
        ),
    )
}


def _comparing(**changes: Any) -> Sweep:
    comparison = _ROWS.comparisons[0].model_copy(update=changes)
    return altered(_ROWS, "comparisons", (comparison.model_dump(),))


_COMPARISONS = {
    f"Comparison.{field}": Change((_ROWS, _comparing(**{field: value})), reported)
    for field, value in (
        ("claim", "Another sentence"),
        ("better", "translandseg-3"),
        ("worse", ("translandseg-7", "translandseg-3")),
        ("by", 2.5),
        ("equal_within", 0.5),
    )
}

_RANGE = {"low": 1e-3, "high": 1e-2}
_TUNED = altered(
    _ROWS, "tune", {"space": {"optimizer.lr": _RANGE, "adapter.width": {"choices": (2, 5)}}}
)


def _tuning(field: str, *values: Any) -> Change:
    return _along(_TUNED, f"tune.{field}", values, tuned)


def _domain(field: str, *values: Any) -> Change:
    """Sweeps that differ in a field of the learning rate's range, or of the width's choices."""
    name = "adapter.width" if field == "choices" else "optimizer.lr"
    base = {"choices": (2, 5)} if field == "choices" else _RANGE
    assert _TUNED.tune is not None
    spaces = [
        {each: domain.model_dump() for each, domain in _TUNED.tune.space.items()}
        | {name: {**base, field: value}}
        for value in values
    ]
    return _tuning("space", *spaces)


_TUNINGS = {
    "Sweep.tune": Change((_TUNED, _ROWS), tuned),
    "Tuning.space": _tuning("space", {"optimizer.lr": _RANGE}, {"optimizer.weight_decay": _RANGE}),
    "Tuning.metric": _tuning("metric", *METRIC_NAMES),
    "Tuning.validation_share": _tuning("validation_share", 0.3, 0.4),
    "Tuning.seed": _tuning("seed", 0, 1),
    "Domain.low": _domain("low", 1e-3, 2e-3),
    "Domain.high": _domain("high", 1e-2, 5e-3),
    "Domain.log": _domain("log", False, True),
    "Domain.step": _domain("step", None, 3e-3),
    "Domain.choices": _domain("choices", (2, 5), (2, 3, 5)),
}

CHANGES: dict[str, Change] = {
    **_VARIANTS,
    **_ADAPTERS,
    **_PROTOCOLS,
    **_STARTS,
    **_RECIPE,
    **_SWEEPS,
    **_COMPARISONS,
    **_TUNINGS,
}

# One spec for each member of each union, by the field that holds it. What names the member
# (``kind``, ``system``) decides what is built.
UNIONS: dict[str, Change] = {
    "Variant": Change((_ATL, _CNN, _POINTS), mask_and_moved),
    "SamVariant.adapter": Change(
        (_ATL, _RELEASED, _LORA, _ADAPTFORMER, _SSF, _BOTTLENECK, DECODER_ONLY), logits
    ),
    "ZeroShotVariant.prompts": Change((_POINTS, _EVERYTHING), mask),
    "Protocol.data": Change(
        (_with_data(kind="bijie"), _FOLDERS, _COCO, _LANDSLIDE4SENSE, _GENERATED), opened
    ),
    "FoldersData.scale": Change((_LINEAR, _PERCENTILES), fitted),
    "CocoData.scale": Change(_COCO_SCALED, fitted),
    "Protocol.split": Change((_PARTS, _FOLDS, _PATTERN, _LISTS, _READY, _INNER), divided),
    "InnerSplit.of": Change(
        tuple(map(_inner, (_PARTS, _FOLDS, _PATTERN, _LISTS, _READY))), divided
    ),
}

# Fields with a single value, and the class that it stands for in a run.
NAMED: dict[str, str] = {
    "AdamW.kind": "AdamW",
    "Cosine.kind": "CosineAnnealingLR",
}


def named() -> set[str]:
    """The classes that a run uses."""
    return classes_used(_SHORT)
