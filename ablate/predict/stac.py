"""An export as an Item of a SpatioTemporal Asset Catalog, by its extension for models (MLM).

https://github.com/stac-extensions/mlm, version 1.5.1. A model belongs to no place: the Item has no
geometry. What it says of input and output is that of ``ablate.load(…).module``; the ONNX graph,
which normalises itself, says its own.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ablate.spec import Protocol, RunSpec

STAC_FILE = "stac-item.json"

_EXTENSIONS = (
    "https://stac-extensions.github.io/mlm/v1.5.1/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
)
_BANDS = ("red", "green", "blue")
# Of each file with weights: the name of its asset, its roles and the kind of artifact. SAM's own
# code, which reads the last one, has an input and an output of its own.
_ASSETS = {
    "weights.safetensors": ("weights", ("mlm:model", "mlm:weights"), "safetensors"),
    "model.onnx": ("onnx", ("mlm:model", "mlm:compiled"), "onnx"),
    "sam_merged.pth": ("sam", ("mlm:checkpoint",), "torch.save"),
}
# What multihash writes before a SHA-256: the function's number, and 32 bytes of length.
_SHA256 = "1220"


def stac_item(spec: RunSpec, key: str, files: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """The Item of an export.

    Args:
        spec: The run.
        key: Its key.
        files: SHA-256 and size in bytes of the export's files, by name.
    """
    protocol = spec.context.protocol
    sam = f"Segment Anything Model ({spec.context.weights.label})"
    scaling = [
        {"type": "z-score", "mean": round(255 * mean, 9), "stddev": round(255 * std, 9)}
        for mean, std in zip(protocol.mean, protocol.std, strict=True)
    ]
    assets: dict[str, Any] = {}
    for name, (sha256, size) in files.items():
        if name in _ASSETS:
            asset, roles, artifact = _ASSETS[name]
            assets[asset] = {
                "href": f"./{name}",
                "type": "application/octet-stream",
                "roles": list(roles),
                "mlm:artifact_type": artifact,
                "file:checksum": f"{_SHA256}{sha256}",
                "file:size": size,
            }
    if "onnx" in assets:
        to_one = [{"type": "min-max", "minimum": 0, "maximum": 255}]
        assets["onnx"] |= _input_and_output(protocol, to_one, "probabilities", "probabilities")
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": f"ablate-{key}",
        "geometry": None,
        "properties": {
            "datetime": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "title": spec.label,
            "bands": [{"name": band} for band in _BANDS],
            "mlm:name": f"ablate-{_plain(spec.name)}",
            "mlm:architecture": spec.label if spec.variant.system == "cnn" else sam,
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "PyTorch",
            **_input_and_output(protocol, scaling, "logits", "torch.sigmoid(logits)"),
        },
        "links": [],
        "assets": assets,
    }


def _input_and_output(
    protocol: Protocol, scaling: list[dict[str, Any]], output: str, probability: str
) -> dict[str, Any]:
    """What goes into a form of the model and what comes out.

    Args:
        protocol: Size, class and threshold.
        scaling: What is done to values of 0 to 255 before.
        output: What its output is called.
        probability: An expression of that.
    """
    size, task = protocol.image_size_px, protocol.task
    dimensions = ["batch", "channel", "height", "width"]
    structure = {"dim_order": dimensions, "data_type": "float32"}
    classes = enumerate(("background", task.positive_class))
    return {
        "mlm:input": [
            {
                "name": "images",
                "bands": list(_BANDS),
                "input": {"shape": [-1, 3, size, size], **structure},
                "value_scaling": scaling,
                "resize_type": "interpolation-linear",
            }
        ],
        "mlm:output": [
            {
                "name": output,
                "tasks": ["semantic-segmentation"],
                "result": {"shape": [-1, 1, size, size], **structure},
                "classification:classes": [
                    {"value": value, "name": _plain(name), "description": name}
                    for value, name in classes
                ],
                "post_processing_function": {
                    "format": "python",
                    "expression": f"{probability} > {task.threshold}",
                },
            }
        ],
    }


def _plain(name: str) -> str:
    """A name of the letters that the extensions allow."""
    return re.sub(r"[^0-9A-Za-z]+", "-", name).strip("-") or "unnamed"
