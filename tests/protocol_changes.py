"""Values that differ in one field of a protocol alone, and what shows the difference."""

from typing import Any

from ablate.registry import Catalogue
from ablate.spec import (
    BACKBONES,
    METRIC_NAMES,
    Protocol,
    SamVariant,
)
from changes import Change, altered
from changes import along as _along
from layouts import divided
from observed_protocols import (
    built_on,
    compiled,
    counted,
    fitted,
    ground,
    opened,
    trained,
    trained_in_its_precision,
    watermarked,
)
from observed_sweeps import reported_under
from variant_changes import ATL

SHORT = Catalogue().protocol(
    "demo",
    [
        "epochs=1",
        "batch_size=2",
        "image_size_px=64",
        "data={kind: generated, seed: 1, count: 6, size_px: 64}",
        "color_jitter={brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}",
    ],
)
_LONGER = altered(SHORT, "epochs", 2)
# Such a decay flips the sign of all weights in each step and enlarges them (1 - lr·decay = -1.5):
# the first epoch is the best.
_FAST = {"kind": "adamw", "lr": 0.01, "weight_decay": 250.0}
_WORSENING = altered(altered(_LONGER, "optimizer", _FAST), "schedule.lr_min", 0.01)
_SMALL = altered(SHORT, "image_size_px", 32)
_PUBLISHED = altered(SHORT, "published_split", {"train": 10, "validation": 5})


def with_data(**data: Any) -> Protocol:
    return altered(_SMALL, "data", data)


GENERATED = with_data(kind="generated", seed=1, count=3, size_px=64)
FOLDERS = with_data(kind="folders", images="left", masks="masks")
LINEAR = altered(FOLDERS, "data.scale", {"kind": "linear", "low": 0, "high": 200})
PERCENTILES = altered(FOLDERS, "data.scale", {"kind": "percentiles", "low": 0, "high": 98})
_MASK_VALUES = altered(FOLDERS, "data.mask_values", {"positive": (255,)})
_THRESHOLD = altered(FOLDERS, "data.mask_values", {"threshold": 127.0})
_THRESHOLD_0 = altered(FOLDERS, "data.mask_values", {"threshold": -1.0})
LANDSLIDE4SENSE = with_data(kind="landslide4sense", scale=25.5)
PARTS = with_data(
    kind="folders",
    images="parts",
    masks="parts",
    image="{folder}/{stem}.bmp",
    mask="{folder}/{stem}_label.png",
)
COCO = with_data(kind="coco", images="left", annotations="one.json", categories=("slide",))
_COCO_PARTS = with_data(kind="coco", images="left", annotations="{folder}.json", folders=("one",))
_COCO_ALL = with_data(kind="coco", images="left", annotations="all.json")
COCO_SCALED = tuple(
    altered(_COCO_ALL, "data.scale", {"kind": kind, "low": 0, "high": 98})
    for kind in ("linear", "percentiles")
)
LISTS = altered(PARTS, "split", {"kind": "lists", "train": "ab.txt", "validation": "c.txt"})
READY = altered(PARTS, "split", {"kind": "folders", "train": "one", "validation": "two"})
FOLDS = altered(PARTS, "split", {"kind": "kfold", "folds": 3, "seed": 1})
_GROUPS = altered(
    PARTS,
    "split",
    {"kind": "groups", "file": "pairs.csv", "validation_share": 0.5, "seed": 0},
)
PATTERN = altered(
    PARTS,
    "split",
    {"kind": "groups", "pattern": "(?P<group>.)$", "validation_share": 0.3, "seed": 0},
)
_TESTED = altered(PARTS, "split.test", {"share": 0.3, "seed": 0})


def _with_test(protocol: Protocol) -> Change:
    return _along(protocol, "split.test", (None, {"share": 0.3, "seed": 0}), divided)


def inner(outer: Protocol) -> Protocol:
    of = outer.split.model_dump()
    return altered(outer, "split", {"kind": "inner", "of": of, "validation_share": 0.5, "seed": 0})


INNER = inner(PARTS)

_OF_MASKS = altered(SHORT, "task.metrics", ("boundary_iou", "small_object_recall"))

_PROTOCOLS = {
    "Protocol.name": _along(SHORT, "name", ("first", "second"), watermarked),
    "Protocol.overrides": _along(SHORT, "overrides", ((), ("epochs=3",)), watermarked),
    "Task.positive_class": _along(
        SHORT, "task.positive_class", ("landslide", "water"), reported_under
    ),
    "Task.metrics": _along(
        SHORT,
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
    "Task.threshold": _along(SHORT, "task.threshold", (0.5, 0.05), trained),
    "Protocol.published_split": _along(
        SHORT, "published_split", (None, {"train": 10, "validation": 5}), watermarked
    ),
    "PublishedSplit.train": _along(_PUBLISHED, "published_split.train", (10, 11), watermarked),
    "PublishedSplit.validation": _along(
        _PUBLISHED, "published_split.validation", (5, 6), watermarked
    ),
    "Protocol.backbone": _along(SHORT, "backbone", tuple(BACKBONES), built_on),
    "Protocol.precision": _along(
        SHORT, "precision", ("float32", "tf32", "bfloat16"), trained_in_its_precision
    ),
    "Protocol.compile": _along(SHORT, "compile", (False, True), compiled),
    "Cosine.lr_min": _along(_LONGER, "schedule.lr_min", (1e-5, 1e-3), trained),
    "Protocol.selection": _along(_WORSENING, "selection", ("validation-loss", "last"), trained),
    "GeneratedData.seed": _along(GENERATED, "data.seed", (1, 2), opened),
    "GeneratedData.count": _along(GENERATED, "data.count", (3, 4), opened),
    "GeneratedData.size_px": _along(GENERATED, "data.size_px", (64, 48), opened),
    "FoldersData.images": _along(FOLDERS, "data.images", ("left", "right"), opened),
    "FoldersData.masks": _along(FOLDERS, "data.masks", ("masks", "other-masks"), opened),
    "FoldersData.image": _along(
        PARTS, "data.image", ("{folder}/{stem}.bmp", "{folder}/{stem}.webp"), opened
    ),
    "FoldersData.mask": _along(
        PARTS, "data.mask", ("{folder}/{stem}_label.png", "{folder}/{stem}_other.png"), opened
    ),
    "FoldersData.folders": _along(PARTS, "data.folders", ((), ("one",), ("one", "three")), opened),
    "FoldersData.mask_values": Change((FOLDERS, _THRESHOLD_0), opened),
    "FoldersData.bands": _along(FOLDERS, "data.bands", (None, (2, 1, 0), (0, 0, 0)), opened),
    "FoldersData.ground_resolution_m": _along(
        FOLDERS, "data.ground_resolution_m", (None, 0.5, 2.0), ground
    ),
    "CocoData.ground_resolution_m": _along(
        COCO, "data.ground_resolution_m", (None, 0.5, 2.0), ground
    ),
    "LinearScale.low": _along(LINEAR, "data.scale.low", (0.0, 50.0), opened),
    "LinearScale.high": _along(LINEAR, "data.scale.high", (200.0, 255.0), opened),
    "PercentileScale.low": _along(PERCENTILES, "data.scale.low", (0.0, 10.0), fitted),
    "PercentileScale.high": _along(PERCENTILES, "data.scale.high", (98.0, 90.0), fitted),
    "MaskValues.positive": _along(
        _MASK_VALUES, "data.mask_values.positive", ((255,), (0, 255)), opened
    ),
    "MaskValues.negative": _along(_MASK_VALUES, "data.mask_values.negative", ((), (7,)), fitted),
    "MaskValues.threshold": _along(_THRESHOLD, "data.mask_values.threshold", (-1.0, 127.0), opened),
    "CocoData.images": _along(COCO, "data.images", ("left", "right"), opened),
    "CocoData.annotations": _along(COCO, "data.annotations", ("one.json", "two.json"), opened),
    "CocoData.categories": _along(COCO, "data.categories", ((), ("slide",), ("rock",)), opened),
    "CocoData.folders": _along(_COCO_PARTS, "data.folders", (("one",), ("two",)), opened),
    "CocoData.bands": _along(COCO, "data.bands", (None, (2, 1, 0), (0, 0, 0)), opened),
    "ListsSplit.train": _along(LISTS, "split.train", ("ab.txt", "a.txt"), divided),
    "ListsSplit.validation": _along(LISTS, "split.validation", ("c.txt", "cd.txt"), divided),
    "ListsSplit.test": _along(LISTS, "split.test", (None, "cd.txt"), divided),
    "FoldersSplit.train": _along(READY, "split.train", ("one", "three"), divided),
    "FoldersSplit.validation": _along(READY, "split.validation", ("two", "three"), divided),
    "HoldoutSplit.test": _with_test(PARTS),
    "HeldOutTest.share": _along(_TESTED, "split.test.share", (0.3, 0.5), divided),
    "HeldOutTest.seed": _along(_TESTED, "split.test.seed", (0, 1), divided),
    "KFoldSplit.folds": _along(FOLDS, "split.folds", (3, 4), divided),
    "KFoldSplit.seed": _along(FOLDS, "split.seed", (1, 2), divided),
    "KFoldSplit.fold": _along(FOLDS, "split.fold", (0, 1, 2), divided),
    "KFoldSplit.test": _with_test(FOLDS),
    "GroupsSplit.file": _along(_GROUPS, "split.file", ("pairs.csv", "others.csv"), divided),
    "GroupsSplit.pattern": _along(
        PATTERN, "split.pattern", ("(?P<group>.)$", "^(?P<group>.)"), divided
    ),
    "GroupsSplit.validation_share": _along(PATTERN, "split.validation_share", (0.3, 0.5), divided),
    "GroupsSplit.seed": _along(PATTERN, "split.seed", (0, 1), divided),
    "GroupsSplit.test": _with_test(PATTERN),
    "InnerSplit.validation_share": _along(INNER, "split.validation_share", (0.5, 0.3), divided),
    "InnerSplit.seed": _along(INNER, "split.seed", (0, 1), divided),
    "Landslide4SenseData.part": _along(
        LANDSLIDE4SENSE, "data.part", ("TrainData", "ValidData", "TestData"), opened
    ),
    "Landslide4SenseData.channels": _along(
        LANDSLIDE4SENSE, "data.channels", ((3, 2, 1), (1, 2, 3), (3, 2, 13)), opened
    ),
    "Landslide4SenseData.scale": _along(LANDSLIDE4SENSE, "data.scale", (25.5, 12.0), opened),
}


def trained_shortly(variant: SamVariant) -> dict[str, object]:
    """What a short run of the variant leaves in its folder."""
    return trained(SHORT, variant)


_STARTS = {
    "SamVariant.encoder_weights": _along(
        ATL, "encoder_weights", ("pretrained", "random"), trained_shortly
    ),
}

_RECIPE = {
    name: _along(SHORT, field, values, trained)
    for name, field, values in (
        ("Protocol.image_size_px", "image_size_px", (64, 80)),
        ("Protocol.mean", "mean", (SHORT.mean, (0.485, 0.456, 0.5))),
        ("Protocol.std", "std", (SHORT.std, (0.229, 0.224, 0.3))),
        ("Protocol.color_jitter", "color_jitter", (SHORT.model_dump()["color_jitter"], None)),
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

PROTOCOL_CHANGES = _PROTOCOLS | _STARTS | _RECIPE
