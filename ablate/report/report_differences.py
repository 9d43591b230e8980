"""Where two reports differ, value by value."""

import math
from collections.abc import Iterator
from typing import Any

from ablate.report.model import Report
from ablate.report.verification_model import ReportDifference, Value

# Other processors and versions of scipy may round the last digits of a quantile otherwise; no
# printed figure has ten digits.
_RELATIVE = 1e-9
# What names an entry of a list.
_NAMES = ("name", "key", "claim", "label")


def report_differences(
    stored: Report, recomputed: Report, file: str | None = None
) -> tuple[int, list[ReportDifference]]:
    """Compares two reports.

    Args:
        stored: The report as it is stored, or as stored values give it.
        recomputed: The report as recomputed values give it.
        file: The file that holds the stored one, if any does.

    Returns:
        How many values were compared, and those that differ. Numbers agree up to a relative
        difference of 1e-9.
    """
    first, second = (
        dict(_leaves(each.model_dump(mode="json"), "")) for each in (stored, recomputed)
    )
    places = dict.fromkeys([*first, *second])
    differences = [
        ReportDifference(
            file=file, place=place, stored=first.get(place), recomputed=second.get(place)
        )
        for place in places
        if place not in first or place not in second or not _agree(first[place], second[place])
    ]
    return len(places), differences


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Value]]:
    """Every single value with its place; the place names entries of lists where they have names."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value:
        names = [_name_of(each) for each in value]
        are_names = None not in names and len(set(names)) == len(names)
        for number, below in enumerate(value):
            name = names[number] if are_names else number
            yield from _leaves(below, f"{place}[{name}]")
    else:
        yield place, "none" if isinstance(value, dict | list) else value


def _name_of(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    named = next((value[name] for name in _NAMES if name in value), None)
    if isinstance(named, str):
        return named
    is_repeat = "split" in value and "seed" in value
    return f"split {value['split']}, seed {value['seed']}" if is_repeat else None


def _agree(first: Value, second: Value) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        are_nan = math.isnan(first) and math.isnan(second)
        return are_nan or math.isclose(first, second, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    return type(first) is type(second) and first == second
