"""Equal numbers of parameters: finds the value of the field that a ``match`` names.

It stands in this room because it takes two others: the registry, which may not count, knows the
variants by name, and ``ablate.models`` counts their modules, which takes torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ablate import executors, report
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.runs import MatchedRow, Parameters, Store
from ablate.spec import (
    BackboneName,
    Match,
    SamVariant,
    Variant,
    canonical_json,
    digest_of,
    value_at,
)
from ablate.study.parameters import read_counts, write_counts

# A larger difference would be one more thing in which two rows differ.
MAX_DIFFERENCE = 0.1
# No field is searched beyond it: it is above every bound of the specs.
_MAX_VALUE = 2**20
# Of a field in which only each second value is valid, such as a kernel's side, every second one.
_STEPS = (1, 2)

Count = Callable[[Variant, BackboneName], int]
Targets = Mapping[str, Variant]


@dataclass(frozen=True)
class Matching:
    """The rows of a sweep as they are run.

    Attributes:
        rows: By name, in the table's order; none of them has a match.
        matched: How near those that had one came, by name.
    """

    rows: Mapping[str, Variant]
    matched: Mapping[str, MatchedRow]


class _NotCountedError(Exception):
    """A count that is needed is not known yet."""


def match_rows(
    rows: Mapping[str, Variant], catalogue: Catalogue, backbone: BackboneName, store: Store
) -> Matching:
    """Gives every row that has a match the value with which it comes nearest.

    Args:
        rows: The variants of a sweep by name.
        catalogue: Knows the variants that they are matched to.
        backbone: What variants without a backbone of their own are built on.
        store: Whose cache remembers what was counted; nothing is written where there is no store.

    Raises:
        SpecError: If a row cannot come near, or two rows become the same.
        BadInput: If something must be counted and torch is broken.
    """
    if not any(_match_of(row) for row in rows.values()):
        return Matching(rows, {})
    targets = targets_of(rows, catalogue)
    known = read_counts(store)

    def count(variant: Variant, default: BackboneName) -> int:
        try:
            return known[report.parameters_key(variant, default)].adapter
        except KeyError as missing:
            raise _NotCountedError from missing

    try:
        return _matching(rows, targets, backbone, count)
    except _NotCountedError:
        known |= executors.call_with_torch(
            "ablate.study.matching:count_candidates", dict(rows), targets, backbone
        )
    if store.root.exists():
        write_counts(store, known)
    return _matching(rows, targets, backbone, count)


def match_variant(
    name: str, catalogue: Catalogue, backbone: BackboneName
) -> tuple[Variant, MatchedRow | None]:
    """A variant of the catalogue as it would be run, and how near it came. Loads torch.

    Raises:
        SpecError: If there is no such variant, it breaks rules or cannot come near.
    """
    variant = catalogue.variant(name)
    counts: dict[str, Parameters] = {}
    matching = _matching(
        {name: variant}, targets_of({name: variant}, catalogue), backbone, _counting(counts)
    )
    return matching.rows[name], matching.matched.get(name)


def targets_of(rows: Mapping[str, Variant], catalogue: Catalogue) -> dict[str, Variant]:
    """Every variant that rows are matched to, and those that these are matched to, by name.

    Raises:
        SpecError: If one of them does not exist or breaks rules.
    """
    targets: dict[str, Variant] = {}
    pending = [match.parameters for row in rows.values() if (match := _match_of(row))]
    while pending:
        name = pending.pop()
        if name not in targets:
            targets[name] = catalogue.variant(name)
            if match := _match_of(targets[name]):
                pending.append(match.parameters)
    return targets


def declaration(variant: Variant, targets: Targets, backbone: BackboneName) -> str:
    """A digest of all that decides the value: what is declared of the row and of its target."""
    match = _match_of(variant)
    target = match and declaration(targets[match.parameters], targets, backbone)
    return digest_of({"variant": variant.identity(backbone), "target": target})


def as_recorded(
    rows: Mapping[str, Variant],
    recorded: Mapping[str, MatchedRow],
    catalogue: Catalogue,
    backbone: BackboneName,
) -> dict[str, Variant]:
    """The rows with the values that were found when the sweep was started; counts nothing.

    A row that is declared otherwise since, or whose target is, keeps its match: it is none of
    those that were run.

    Raises:
        SpecError: If a target does not exist or breaks rules.
    """
    targets = targets_of(rows, catalogue)
    concrete = dict(rows)
    for name, row in rows.items():
        if not isinstance(row, SamVariant) or row.match is None or name not in recorded:
            continue
        if recorded[name].declaration == declaration(row, targets, backbone):
            concrete[name] = row.matched(recorded[name].value)
    return concrete


def count_candidates(
    rows: Mapping[str, Variant], targets: Targets, backbone: BackboneName
) -> dict[str, Parameters]:
    """The counts that the search needs, by ``parameters_key``. Loads torch.

    What cannot be matched is found again, and reported, by the search in the caller.
    """
    counts: dict[str, Parameters] = {}
    for name, row in rows.items():
        try:
            _concrete(name, row, targets, backbone, _counting(counts))
        except SpecError:
            continue
    return counts


def _counting(counts: dict[str, Parameters]) -> Count:
    """Counts modules, each model once; adds to ``counts``."""
    from ablate.models import count

    def counted(variant: Variant, backbone: BackboneName) -> int:
        key = report.parameters_key(variant, backbone)
        if key not in counts:
            counts[key] = count(variant, variant.backbone or backbone)
        return counts[key].adapter

    return counted


def _match_of(variant: Variant) -> Match | None:
    return variant.match if isinstance(variant, SamVariant) else None


def _matching(
    rows: Mapping[str, Variant], targets: Targets, backbone: BackboneName, count: Count
) -> Matching:
    concrete: dict[str, Variant] = {}
    matched: dict[str, MatchedRow] = {}
    problems: list[str] = []
    seen: dict[str, str] = {}
    for name, row in rows.items():
        try:
            concrete[name], found = _concrete(name, row, targets, backbone, count)
        except SpecError as error:
            problems += error.problems
            continue
        if found:
            matched[name] = found
        first = seen.setdefault(canonical_json(concrete[name].identity(backbone)), name)
        if first != name:
            problems.append(
                f"variants {first} and {name} train exactly the same thing once they have equal "
                "numbers of parameters; remove one, or its match"
            )
    if problems:
        raise SpecError(problems)
    return Matching(concrete, matched)


def _concrete(
    name: str, variant: Variant, targets: Targets, backbone: BackboneName, count: Count
) -> tuple[Variant, MatchedRow | None]:
    """The variant with the value that its match finds; as it is where it has none."""
    match = _match_of(variant)
    if match is None or not isinstance(variant, SamVariant):
        return variant, None
    target, _ = _concrete(match.parameters, targets[match.parameters], targets, backbone, count)
    wanted = count(target, backbone)
    if not wanted:
        problem = f"{match.parameters} has no parameters in adapters that could be matched"
        raise SpecError([f"variant {name}: {problem}; name a variant with an adapter"])

    def counted(value: int) -> int | None:
        if not 0 <= value <= _MAX_VALUE:
            return None
        try:
            candidate = variant.matched(value)
        except ValidationError:
            return None
        return count(candidate, backbone)

    try:
        value, reached = nearest(counted, value_at(variant, match.field), wanted)
    except ValueError as error:
        repair = "name a field that does, such as adapter.width"
        raise SpecError([f"variant {name}: match: {match.field} {error}; {repair}"]) from error
    found = MatchedRow(
        target=match.parameters,
        field=match.field,
        value=value,
        wanted=wanted,
        reached=reached,
        declaration=declaration(variant, targets, backbone),
    )
    if abs(reached - wanted) > MAX_DIFFERENCE * wanted:
        repair = "match a variant with a wider adapter, or give another field"
        problem = f"{found.sentence}, more than {100 * MAX_DIFFERENCE:.0f} % off"
        raise SpecError([f"variant {name}: match: {problem}; {repair}"])
    return variant.matched(value), found


def nearest(counted: Callable[[int], int | None], start: int, wanted: int) -> tuple[int, int]:
    """The value whose count is nearest to ``wanted``; of two equally near ones the smaller.

    The count is taken to grow with the value: it is bracketed by doubling the distance from
    ``start`` and then halved, a few counts where a scan would take thousands.

    Args:
        counted: The count at a value; None where the value is not valid.
        start: A valid value.
        wanted: The count to reach.

    Returns:
        The value and its count.

    Raises:
        ValueError: If the count does not grow with the value.
    """
    step = next((step for step in _STEPS if _grows(counted, start, step)), None)
    if step is None:
        raise ValueError("does not change the number of parameters")

    def reaches(steps: int) -> bool:
        count = counted(start + steps * step)
        # What is not valid is too small below the start, too large above it.
        return steps > 0 if count is None else count >= wanted

    below, above = (-1, 0) if reaches(0) else (0, 1)
    while reaches(below):
        below, above = 2 * below, below
    while not reaches(above):
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if reaches(middle) else (middle, above)
    values = [start + steps * step for steps in (below, above)]
    found = [(value, count) for value in values if (count := counted(value)) is not None]
    return min(found, key=lambda each: (abs(each[1] - wanted), each[0]))


def _grows(counted: Callable[[int], int | None], start: int, step: int) -> bool:
    """Whether the count is larger one step above, or smaller one step below."""
    counts = [counted(start - step), counted(start), counted(start + step)]
    known = [count for count in counts if count is not None]
    return len(known) > 1 and known == sorted(set(known))
