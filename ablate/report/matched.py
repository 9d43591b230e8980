"""How near rows came to the number of parameters that they were matched to."""

from collections.abc import Mapping, Sequence

from ablate.report.table import (
    Table,
    caption_of,
    number_cell,
    number_column,
    text_cell,
    text_column,
)
from ablate.runs import MatchedRow
from ablate.spec import Frozen


class MatchedParameters(Frozen):
    """One row whose field has a value that was found, not declared.

    Attributes:
        name: The row's name.
        label: What tables print.
        target: The variant whose number of parameters was to be reached.
        field: The dotted path of the field.
        value: Its value.
        wanted: Parameters of the target's adapter.
        reached: Parameters of the row's adapter.
        difference: By how much the row has more; percent of the target's.
    """

    name: str
    label: str
    target: str
    field: str
    value: int
    wanted: int
    reached: int
    difference: float


def matched_parameters(
    recorded: Mapping[str, MatchedRow], labels: Mapping[str, str]
) -> tuple[MatchedParameters, ...]:
    """The matched rows of a sweep, in the order of its table.

    Args:
        recorded: What was found when the sweep was started, by the row's name.
        labels: The labels of the table's rows by name.
    """
    return tuple(
        MatchedParameters(
            name=name,
            label=label,
            target=found.target,
            field=found.field,
            value=found.value,
            wanted=found.wanted,
            reached=found.reached,
            difference=found.difference_percent,
        )
        for name, label in labels.items()
        if (found := recorded.get(name))
    )


def matched_table(rows: Sequence[MatchedParameters]) -> Table:
    """One line for each matched row; it holds whatever was trained, so it has no watermark."""
    return Table(
        name="matched",
        title="Equal numbers of parameters",
        columns=(
            text_column("label", "Model"),
            text_column("target", "matched to"),
            text_column("field", "field"),
            number_column("value", "value"),
            number_column("wanted", "parameters wanted"),
            number_column("reached", "reached"),
            number_column("difference", "difference (%)"),
        ),
        rows=tuple(
            (
                text_cell(row.label),
                text_cell(row.target),
                text_cell(row.field),
                number_cell(row.value),
                number_cell(row.wanted, f"{row.wanted:,}"),
                number_cell(row.reached, f"{row.reached:,}"),
                number_cell(row.difference, f"{row.difference:+z.1f}"),
            )
            for row in rows
        ),
        caption=caption_of(
            None,
            "Parameters of the adapters alone. The field has the value with which they come "
            "nearest to those of the variant that they are matched to; rows that are not listed "
            "are as they are declared.",
        ),
    )
