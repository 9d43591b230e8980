"""Counts of parameters, remembered in the store so that a report need not load torch."""

from collections.abc import Mapping
from importlib.metadata import version

from ablate import executors, report
from ablate.runs import Parameters, Store, SweepRecord
from ablate.runs.remembered import recall, remember
from ablate.spec import ENGINE_VERSION, BackboneName, Variant, digest_of

_FILE = "parameters.json"
# Packages whose modules are counted.
_COUNTED = ("torch", "torchvision", "segment-anything")

Wanted = Mapping[str, tuple[Variant, BackboneName]]


def count_for_report(record: SweepRecord, store: Store) -> dict[str, Parameters]:
    """The counts that a sweep's report shows: from the store's cache, or counted now.

    Args:
        record: The sweep.
        store: Whose cache is read, and completed if it can be written.

    Returns:
        Parameters by key.

    Raises:
        BadInput: If something must be counted and torch is broken.
    """
    wanted = report.required_parameters(record)
    known = read_counts(store)
    missing = {key: model for key, model in wanted.items() if key not in known}
    if missing:
        known |= executors.call_with_torch("ablate.study.parameters:count_all", missing)
        write_counts(store, known)
    return {key: known[key] for key in wanted}


def count_all(wanted: Wanted) -> dict[str, Parameters]:
    """Counts each model. Loads torch."""
    from ablate.models import count

    return {key: count(variant, backbone) for key, (variant, backbone) in wanted.items()}


def _stamp() -> str:
    """What counts depend on besides the variants: another version may count anew."""
    return digest_of({"engine": ENGINE_VERSION} | {name: version(name) for name in _COUNTED})


def read_counts(store: Store) -> dict[str, Parameters]:
    """The store's cache; empty where it is of other versions or cannot be read."""
    try:
        content = recall(store.cache_path / _FILE)
        if content is None or content["stamp"] != _stamp():
            return {}
        return {key: Parameters(**counted) for key, counted in content["parameters"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_counts(store: Store, known: Mapping[str, Parameters]) -> None:
    """Replaces the store's cache, if it can be written."""
    parameters = {key: counted.model_dump() for key, counted in known.items()}
    content = {"schema_version": 1, "stamp": _stamp(), "parameters": parameters}
    remember(store.cache_path / _FILE, content)
