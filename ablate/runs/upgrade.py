"""Documents of older schemas, brought to the next one: plain dicts to plain dicts.

Schema 1 is that of the engine's versions up to 5. Its documents carry no ``schema_version``, and
their keys are computed as nothing computes them any more: an upgraded run keeps its old key.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_Document = dict[str, Any]

# "demo with epochs=3, loss.bce=1": schema 1 kept the overrides in the protocol's name.
_OVERRIDES = " with "
_BETWEEN_OVERRIDES = re.compile(r", (?=[A-Za-z_][\w.]*=)")
_LAST_ENGINE_OF_SCHEMA_1 = 5


def _spec_file(document: _Document) -> _Document:
    run = document["run"]
    run |= {"variant": _variant(run["variant"]), "context": _context(run["context"])}
    return document


def _sweep_record(document: _Document) -> _Document:
    """The sweep, of which schema 1 kept the name alone, is rebuilt as far as its runs show it.

    ``runs`` are keys in schema 1; here each is already the run that its folder describes.
    """
    name, context = document["sweep"], _context(document["context"])
    sweep = {
        "name": name,
        "title": name,
        "protocol": context["protocol"]["name"],
        "seeds": document["seeds"],
        "variants": list(dict.fromkeys(run["name"] for run in document["runs"])),
    }
    return document | {"sweep": sweep, "context": context}


def _result(document: _Document) -> _Document:
    return document | {"metrics": _metrics(document["metrics"])}


def _event(document: _Document) -> _Document:
    return document | {"metrics": _metrics(document["metrics"])}


def _variant(variant: _Document) -> _Document:
    if "trunk" in variant:
        variant["encoder_weights"] = variant.pop("trunk")
    return variant


def _context(context: _Document) -> _Document:
    return context | {
        "protocol": _protocol(context["protocol"]),
        "engine": _LAST_ENGINE_OF_SCHEMA_1,
    }


def _protocol(protocol: _Document) -> _Document:
    name, _, overrides = protocol["name"].partition(_OVERRIDES)
    return protocol | {
        "name": name,
        "overrides": _BETWEEN_OVERRIDES.split(overrides) if overrides else [],
        "task": {"positive_class": "landslide"},
        "split": protocol["split"] | {"kind": "holdout", "rounding": "floor-plus-one"},
    }


def _metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name.replace("landslide_", "positive_", 1): value for name, value in metrics.items()}


# By the schema that a document is written in and the name of its model; documents of other models
# only get the new number.
UPGRADES: dict[int, dict[str, Callable[[_Document], _Document]]] = {
    1: {
        "SpecFile": _spec_file,
        "SweepRecord": _sweep_record,
        "Result": _result,
        "Event": _event,
    }
}
