"""The paper's Table III: each printed row beside what the models that it may mean have.

The models are counted elsewhere, since that takes torch; here the counts are looked up.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.report.model import Count, CountedParameters, Interpretation
from ablate.report.published import ParameterRow, ParameterTable, load_parameters, load_scores
from ablate.runs import Parameters, SweepRecord
from ablate.spec import ENGINE_VERSION, BackboneName, Variant, digest_of

_MILLION = 1_000_000


def parameters_key(variant: Variant, backbone: BackboneName) -> str:
    """What a count is filed under: 64 hex digits over all that decides it.

    Args:
        variant: What is counted.
        backbone: The SAM that it is built on if it names none; it means nothing to a CNN.
    """
    return digest_of({"variant": variant.identity(backbone), "engine": ENGINE_VERSION})


def required_parameters(record: SweepRecord) -> dict[str, tuple[Variant, BackboneName]]:
    """What must be counted before the sweep is reported, by ``parameters_key``.

    Raises:
        SpecError: As ``counted_parameters``.
    """
    name = published_parameters(record)
    if name is None:
        return {}
    return {
        parameters_key(each.variant, each.backbone): (each.variant, each.backbone)
        for each in _interpretations(name, load_parameters(name))
    }


def published_parameters(record: SweepRecord) -> str | None:
    """The published table of parameters that belongs to the sweep's table of scores."""
    return load_scores(record.sweep.published).parameters if record.sweep.published else None


def counted_parameters(name: str, counts: Mapping[str, Parameters]) -> CountedParameters:
    """A published table of parameters beside the counts of every interpretation of its rows.

    Args:
        name: The published table's name.
        counts: By ``parameters_key``; what is not there is shown as not counted.

    Raises:
        SpecError: If there is no such table, if an interpretation is not a variant of the
            catalogue, or if the row of a SAM names no backbone.
    """
    table = load_parameters(name)
    return CountedParameters(
        source=table.source,
        interpretations=tuple(_counted(each, counts) for each in _interpretations(name, table)),
    )


class _Interpretation(NamedTuple):
    """A variant that a printed row may stand for."""

    system: str
    row: ParameterRow
    name: str
    variant: Variant
    backbone: BackboneName


def _interpretations(name: str, table: ParameterTable) -> list[_Interpretation]:
    problems: list[str] = []
    catalogue = Catalogue()
    found: list[_Interpretation] = []
    for system, row, variant in _names(table):
        place = f"published table {name!r}, row {system}"
        try:
            spec = catalogue.variant(variant)
        except SpecError as error:
            problems += [f"{place}: {problem}" for problem in error.problems]
            continue
        if spec.system == "sam" and spec.match:
            problems.append(f"{place}: {variant} has a match; name a variant without one")
        if row.backbone is None and spec.system != "cnn":
            problem = f"the interpretation {variant} is a SAM, but no backbone is printed; add it"
            problems.append(f"{place}: {problem}")
        # A CNN has no use for the backbone.
        found.append(_Interpretation(system, row, variant, spec, row.backbone or "vit_l"))
    if problems:
        raise SpecError(problems)
    return found


def _names(table: ParameterTable) -> Iterator[tuple[str, ParameterRow, str]]:
    for system, row in table.rows.items():
        for variant in row.interpretations:
            yield system, row, variant


def _counted(each: _Interpretation, counts: Mapping[str, Parameters]) -> Interpretation:
    counted = counts.get(parameters_key(each.variant, each.backbone))
    return Interpretation(
        system=each.system,
        label=each.row.label,
        variant=each.name,
        variant_label=each.variant.label or each.name,
        backbone=each.row.backbone,
        total=_count(each.row.total, counted.total if counted else None),
        trainable=_count(each.row.trainable, counted.trainable if counted else None),
        note=each.row.interpretations[each.name],
    )


def _count(printed: str, counted: int | None) -> Count:
    rounded = None if counted is None else _rounded_millions(counted, printed)
    return Count(printed=printed, counted=counted, rounded=rounded)


def _rounded_millions(counted: int, printed: str) -> str:
    """A count in millions, with as many decimals as the printed number has."""
    return str((Decimal(counted) / _MILLION).quantize(Decimal(printed), ROUND_HALF_UP))
