"""Variants besides the ATL's, for tests of several rooms."""

import json
from typing import Any

from ablate.spec import SamVariant

METHODS = ("lora", "dora", "ia3", "loha", "lokr", "hira", "delora", "miss")


def peft_variant(method: str = "lora", **fields: Any) -> SamVariant:
    """A method on q and v of the image encoder, unless the fields say otherwise."""
    adapter = {"kind": "peft", "method": method, "target": ["q", "v"]} | fields
    trained = ["adapter"] if adapter.get("on", "encoder") != "encoder" else None
    return adapted(adapter, trained or ["adapter", "mask_decoder"])


def adapted(adapter: dict[str, Any], trained: list[str]) -> SamVariant:
    """A variant as a file would declare it."""
    content = {"system": "sam", "adapter": adapter, "trained": trained}
    return SamVariant.model_validate_json(json.dumps(content))


IN_BLOCKS = {
    "adaptformer": adapted({"kind": "adaptformer", "width": 8}, ["adapter", "mask_decoder"]),
    "ssf": adapted({"kind": "ssf"}, ["adapter", "mask_decoder"]),
    "bottleneck": adapted({"kind": "bottleneck", "width": 8}, ["adapter", "mask_decoder"]),
    **{
        arrangement: adapted(
            {"kind": "bottleneck", "width": 8, "arrangement": arrangement},
            ["adapter", "mask_decoder"],
        )
        for arrangement in ("parallel", "mixed")
    },
}


def tuned(*parts: str) -> SamVariant:
    """No adapter: parts of SAM's own image encoder learn, and the mask decoder."""
    return adapted({"kind": "none"}, [*parts, "mask_decoder"])


TUNED = {
    "norms": tuned("encoder_norms"),
    "biases": tuned("encoder_biases"),
    "norms and biases": tuned("encoder_norms", "encoder_biases"),
    "all": tuned("encoder"),
}
