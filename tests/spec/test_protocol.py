"""A protocol's part in the identity of a run, and its bounds."""

from typing import Any

import pytest
from pydantic import ValidationError

from ablate.registry import Catalogue
from ablate.spec import Protocol, Task


def altered(protocol: Protocol, **fields: Any) -> Protocol:
    return Protocol.model_validate(protocol.model_dump() | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "another"},
        {"overrides": ("epochs=3",)},
        {"published_split": {"train": 1, "validation": 1}},
        {"task": Task(positive_class="water", metrics=("miou",)).model_dump()},
    ],
    ids=str,
)
def test_names_and_what_is_shown_are_not_in_the_identity(
    demo: Protocol, fields: dict[str, Any]
) -> None:
    assert altered(demo, **fields).identity() == demo.identity()


@pytest.mark.parametrize(
    "fields",
    [
        {"task": {"positive_class": "landslide", "threshold": 0.4}},
        {"compile": True},
        {
            "split": {
                "kind": "holdout",
                "seed": 42,
                "validation_share": 0.3,
                "rounding": "floor",
            }
        },
    ],
    ids=str,
)
def test_what_decides_numbers_is_in_the_identity(demo: Protocol, fields: dict[str, Any]) -> None:
    assert altered(demo, **fields).identity() != demo.identity()


def test_without_training_only_the_images_decide(demo: Protocol) -> None:
    longer = altered(demo, epochs=9, batch_size=1, precision="bfloat16")
    assert longer.evaluation_identity() == demo.evaluation_identity()
    larger = altered(demo, image_size_px=256)
    assert larger.evaluation_identity() != demo.evaluation_identity()


def test_overrides_are_in_the_label(demo: Protocol) -> None:
    assert demo.label == "demo"
    overridden = altered(demo, overrides=("epochs=3", "batch_size=2"))
    assert (overridden.name, overridden.label) == ("demo", "demo with epochs=3, batch_size=2")


def test_no_shipped_protocol_compiles() -> None:
    catalogue = Catalogue()
    assert not any(catalogue.protocol(name).compile for name in catalogue.protocol_files)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 10**9},
        {"batch_size": 10**9},
        {"image_size_px": 2**20},
        {"image_size_px": 100},
        {"data": {"kind": "generated", "seed": 2**32, "count": 6, "size_px": 64}},
        {"data": {"kind": "generated", "seed": 1, "count": 10**9, "size_px": 64}},
        {"task": {"positive_class": "", "threshold": 0.5}},
        {"task": {"positive_class": "landslide", "threshold": 1.0}},
        {"task": {"positive_class": "landslide", "metrics": ()}},
        {"task": {"positive_class": "landslide", "metrics": ("miou", "miou")}},
        {"task": {"positive_class": "landslide", "metrics": ("miou", "landslide_iou")}},
    ],
    ids=str,
)
def test_absurd_values_are_refused(demo: Protocol, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        altered(demo, **fields)
    assert caught.value.error_count() == 1
