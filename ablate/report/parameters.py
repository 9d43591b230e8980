"""The paper's Table III: each printed row beside what the models that it may mean have.

Counted from geometry, so it is the same whatever was run.
"""

from decimal import ROUND_HALF_UP, Decimal

from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.report.model import Count, CountedParameters, ReadingParameters
from ablate.report.published import ParameterRow, load_parameters
from ablate.spec import BackboneName, Variant, count_cnn_parameters, count_parameters

_MILLION = 1_000_000


def rounded_millions(counted: int, printed: str) -> str:
    """A count in millions, with as many decimals as the printed number has."""
    return str((Decimal(counted) / _MILLION).quantize(Decimal(printed), ROUND_HALF_UP))


def counted_parameters(name: str) -> CountedParameters:
    """A published table of parameters with every reading of its rows counted.

    Args:
        name: The published table's name.

    Raises:
        SpecError: If there is no such table, if a reading is no variant of the catalogue, or if
            the row of a SAM names no backbone.
    """
    table, catalogue = load_parameters(name), Catalogue()
    problems: list[str] = []
    readings: list[ReadingParameters] = []
    for system, row in table.rows.items():
        for variant in row.readings:
            place = f"published table {name!r}, row {system}"
            try:
                readings.append(_reading(system, row, variant, catalogue.variant(variant)))
            except SpecError as error:
                problems += [f"{place}: {problem}" for problem in error.problems]
    if problems:
        raise SpecError(problems)
    return CountedParameters(source=table.source, readings=tuple(readings))


def _reading(system: str, row: ParameterRow, name: str, variant: Variant) -> ReadingParameters:
    backbone: BackboneName | None = None
    if variant.system == "cnn":
        counted = count_cnn_parameters(variant)
    elif row.backbone is None:
        raise SpecError([f"the reading {name} is a SAM, but no backbone is printed; add it"])
    else:
        backbone = row.backbone
        counted = count_parameters(variant, backbone)
    return ReadingParameters(
        system=system,
        label=row.label,
        variant=name,
        reading=variant.label or name,
        backbone=backbone,
        total=_count(row.total, counted.total),
        trainable=_count(row.trainable, counted.trainable),
        note=row.readings[name],
    )


def _count(printed: str, counted: int) -> Count:
    rounds = rounded_millions(counted, printed) == printed
    return Count(printed=printed, counted=counted, rounds=rounds)
