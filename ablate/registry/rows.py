"""The rows that a sweep's factors span, and the checks of a sweep against its rows."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ablate.errors import SpecError
from ablate.registry.problems import nearest
from ablate.registry.source import Document, Loc, Place, shortened
from ablate.registry.yaml_reader import MAX_DEPTH
from ablate.spec import BackboneName, Sweep, Variant, canonical_json

# Of one sweep, before `exclude`. A thousand trainings are months of one GPU, and their table is
# beyond reading; planning them takes seconds.
MAX_COMBINATIONS = 1_000


def nested(dotted: str, value: Any, place: Place) -> Document:
    """``a.b`` = value as a document {a: {b: value}}, all of it standing at ``place``.

    Raises:
        SpecError: If a part of the dotted name is empty, or there are too many.
    """
    parts = dotted.split(".")
    if len(parts) > MAX_DEPTH or not all(parts):
        problem = f"{shortened(dotted)!r} names no field"
        raise SpecError([f"{place}: {problem}; give its keys with dots between, as optimizer.lr"])
    for part in reversed(parts):
        value = {part: value}
    places: dict[Loc, Place] = {tuple(parts[:end]): place for end in range(len(parts) + 1)}
    return Document(value, places)


def combinations(sweep: Sweep, document: Document) -> list[dict[str, Any]]:
    """Every combination of the sweep's factors that is not excluded, the last factor fastest.

    Args:
        sweep: With factors or zip.
        document: What it was read from, for the places in messages.

    Raises:
        SpecError: If there are too many, if an ``exclude`` matches none of them, or all together
            leave none.
    """
    steps = [
        dict(zip(sweep.zip, values, strict=True))
        for values in zip(*sweep.zip.values(), strict=True)
    ] or [{}]
    count = len(steps) * math.prod(len(values) for values in sweep.factors.values())
    if count > MAX_COMBINATIONS:
        problem = f"{count:,} combinations of factors, more than {MAX_COMBINATIONS:,}"
        raise SpecError([f"{factors_place(document)}: {problem}; give fewer values"])
    cells = [
        dict(zip(sweep.factors, values, strict=True)) | step
        for values in itertools.product(*sweep.factors.values())
        for step in steps
    ]
    kept = cells
    problems = []
    for index, excluded in enumerate(sweep.exclude):
        place = document.place(("exclude", index))
        if not any(_matches(cell, excluded) for cell in cells):
            repair = "give values that the factors have, or remove it"
            problems.append(f"{place}: exclude matches no combination of factors; {repair}")
        kept = [cell for cell in kept if not _matches(cell, excluded)]
    if not kept:
        place = document.place(("exclude",))
        problems.append(f"{place}: exclude removes every combination of factors; exclude fewer")
    if problems:
        raise SpecError(problems)
    return kept


def _matches(cell: Mapping[str, Any], excluded: Mapping[str, Any]) -> bool:
    # As JSON: 1 and true are equal in Python alone.
    return all(
        canonical_json(cell[factor]) == canonical_json(value) for factor, value in excluded.items()
    )


def combination_name(combination: Mapping[str, Any]) -> str:
    """``midlays=m.m,residual=true``: the last part of each factor's path and its value."""
    words = {
        factor: ".".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for factor, value in combination.items()
    }
    return ",".join(f"{factor.rpartition('.')[2]}={word}" for factor, word in words.items()).lower()


def factors_place(document: Document) -> Place:
    """The place of a sweep's factors."""
    return document.place(("factors",) if "factors" in document.value else ("zip",))


def row_problems(
    sweep: Sweep, document: Document, rows: Mapping[str, Variant], backbone: BackboneName
) -> list[str]:
    """The problems of a sweep with its rows: duplicates, and names that are not rows."""
    return [
        *_duplicates(document, rows, backbone),
        *_duplicate_labels(document, rows),
        *_unknown_names(sweep, document, rows),
        *_empty_comparisons(sweep, document),
    ]


def duplicate_line(place: Place | str, first: str, second: str) -> str:
    """The problem of two variants of one identity."""
    return (
        f"{place}: {first} and {second} train exactly the same thing; "
        "change a field of one, or remove it"
    )


def _duplicates(
    document: Document, rows: Mapping[str, Variant], backbone: BackboneName
) -> Iterable[str]:
    seen: dict[str, str] = {}
    for name, variant in rows.items():
        first = seen.setdefault(canonical_json(variant.identity(backbone)), name)
        if first != name:
            yield duplicate_line(_place_of_row(document, name), first, name)


def _duplicate_labels(document: Document, rows: Mapping[str, Variant]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for name, variant in rows.items():
        label = variant.label or name
        first = seen.setdefault(label, name)
        if first != name:
            place = _place_of_row(document, name)
            yield (
                f"{place}: the label {shortened(label)!r} appears twice, for {first} and {name}; "
                "give each row its own label"
            )


def _place_of_row(document: Document, name: str) -> Place:
    variants = document.value.get("variants", [])
    if name in variants:
        return document.place(("variants", variants.index(name)))
    return factors_place(document)


def _unknown_names(sweep: Sweep, document: Document, rows: Mapping[str, Variant]) -> Iterable[str]:
    """The names in a baseline or comparison that are not rows of the sweep."""
    named: list[tuple[Loc, str]] = []
    if sweep.baseline is not None:
        named.append((("baseline",), sweep.baseline))
    for index, comparison in enumerate(sweep.comparisons):
        here: Loc = ("comparisons", index)
        named.append(((*here, "better"), comparison.better))
        named += [((*here, "worse", nth), worse) for nth, worse in enumerate(comparison.worse)]
    for loc, name in named:
        if name not in rows:
            problem = f"{shortened(name)!r} is not a row of this sweep"
            repair = nearest(name, rows) or "; name one of its rows"
            yield f"{document.place(loc)}: {problem}{repair}"


def _empty_comparisons(sweep: Sweep, document: Document) -> Iterable[str]:
    """Comparisons of a row with itself, or twice with the same row."""
    for index, comparison in enumerate(sweep.comparisons):
        place = document.place(("comparisons", index, "worse"))
        if comparison.better in comparison.worse:
            yield f"{place}: {comparison.better!r} is compared with itself; remove it from worse"
        for name in dict.fromkeys(comparison.worse):
            if comparison.worse.count(name) > 1:
                yield f"{place}: worse lists {name!r} twice; list it once"
