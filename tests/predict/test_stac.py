"""The Item of an export says what the extensions of STAC that it names require."""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import ablate
from ablate.data.generated import scene
from ablate.predict.stac import stac_item


def test_an_export_is_an_item(export: Path) -> None:
    item = json.loads((export / "stac-item.json").read_text(encoding="utf-8"))
    # STAC 1.1: these are required, and a box is forbidden without a geometry.
    assert {"type", "stac_version", "id", "geometry", "properties", "links", "assets"} <= set(item)
    assert (item["type"], item["stac_version"], item["geometry"]) == ("Feature", "1.1.0", None)
    assert "bbox" not in item
    properties = item["properties"]
    assert datetime.fromisoformat(properties["datetime"]).tzinfo is not None
    # MLM: these are required, and names of bands need a description of them.
    required = {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"}
    assert required <= set(properties)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", properties["mlm:name"])
    (given,), (made,) = properties["mlm:input"], properties["mlm:output"]
    assert given["bands"] == [band["name"] for band in properties["bands"]]
    assert given["input"]["shape"] == [-1, 3, 64, 64]
    assert made["result"]["shape"] == [-1, 1, 64, 64]
    for structure in (given["input"], made["result"]):
        assert len(structure["dim_order"]) == len(structure["shape"])
    classes = [(each["value"], each["name"]) for each in made["classification:classes"]]
    assert classes == [(0, "background"), (1, "landslide")]
    # File: a checksum is a multihash.
    assert set(item["assets"]) == {"weights"}
    weights = item["assets"]["weights"]
    content = (export / "weights.safetensors").read_bytes()
    assert weights["href"] == "./weights.safetensors"
    assert "mlm:model" in weights["roles"]
    assert weights["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    digests = json.loads((export / "ablate-export.json").read_text())["files"]
    assert (
        digests["stac-item.json"]
        == hashlib.sha256((export / "stac-item.json").read_bytes()).hexdigest()
    )


def test_what_it_says_of_input_and_output_is_so(export: Path) -> None:
    import torch

    item = json.loads((export / "stac-item.json").read_text(encoding="utf-8"))
    (given,), (made,) = (item["properties"][name] for name in ("mlm:input", "mlm:output"))
    model = ablate.load(export)
    image = scene(5, 0, 64)[0]
    bands = [
        (image[..., band] - scaling["mean"]) / scaling["stddev"]
        for band, scaling in enumerate(given["value_scaling"])
    ]
    with torch.no_grad():
        logits = model.module(torch.from_numpy(np.stack(bands)[None].astype(np.float32)))
    expression = made["post_processing_function"]["expression"]
    mask = eval(expression, {"torch": torch, "logits": logits})
    assert np.array_equal(mask[0, 0].numpy(), model.predict(image))


@pytest.mark.parametrize("name", ["Rutschung é 2/3", "…", "a-"])
def test_any_name_becomes_one_that_the_extensions_allow(export: Path, name: str) -> None:
    spec = ablate.load(export).spec
    task = spec.context.protocol.task.model_copy(update={"positive_class": name})
    protocol = spec.context.protocol.model_copy(update={"task": task})
    context = spec.context.model_copy(update={"protocol": protocol})
    item = stac_item(spec.model_copy(update={"name": name, "context": context}), "0" * 16, {})
    pattern = r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]"
    assert re.fullmatch(pattern, item["properties"]["mlm:name"])
    positive = item["properties"]["mlm:output"][0]["classification:classes"][1]
    assert re.fullmatch(r"[0-9A-Za-z\-_]+", positive["name"])
    assert positive["description"] == name
