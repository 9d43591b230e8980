"""Parameters of built models beside the printed ones (the paper's Table III)."""

from decimal import ROUND_HALF_UP, Decimal

from ablate.report.model import Count, CountedParameters, SystemParameters
from ablate.report.published import ParameterRow, ParameterTable
from ablate.report.rows import Group, Groups
from ablate.spec import BACKBONES

_MILLION = 1_000_000


def rounded_millions(counted: int, printed: str) -> str:
    """A count in millions, with as many decimals as the printed number has."""
    return str((Decimal(counted) / _MILLION).quantize(Decimal(printed), ROUND_HALF_UP))


def parameters_of(published: ParameterTable, groups: Groups) -> CountedParameters:
    """The published table with the counts of the rows that were trained."""
    return CountedParameters(
        source=published.source,
        systems=tuple(_system(row, groups[name]) for name, row in published.rows.items()),
    )


def _system(printed: ParameterRow, group: Group) -> SystemParameters:
    finished = next((reading for reading in group.readings if reading.finished), None)
    if finished is None or finished.finished is None:
        is_ours = bool(group.readings) or printed.backbone is not None
        return SystemParameters(
            name=group.name,
            label=printed.label,
            backbone=None,
            hole=group.hole if is_ours else "not built",
            total=Count(printed=printed.total, counted=None, rounds=None),
            trainable=Count(printed=printed.trainable, counted=None, rounds=None),
        )
    counted = finished.finished.result.parameters
    backbone = finished.run.backbone_name
    comparable = backbone == printed.backbone
    return SystemParameters(
        name=group.name,
        label=printed.label,
        backbone=BACKBONES[backbone].label,
        hole=None,
        total=_count(printed.total, counted.total, comparable),
        trainable=_count(printed.trainable, counted.trainable, comparable),
    )


def _count(printed: str, counted: int, comparable: bool) -> Count:
    rounds = rounded_millions(counted, printed) == printed if comparable else None
    return Count(printed=printed, counted=counted, rounds=rounds)
