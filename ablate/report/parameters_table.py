"""Printed parameters beside counted ones."""

from ablate.report.model import Count, CountedParameters
from ablate.report.table import (
    DASH,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)
from ablate.spec import BACKBONES


def parameters_table(counted: CountedParameters) -> Table:
    """A published table of parameters; no run has a part in it, so it has no watermark."""
    columns = [
        text_column("label", "Model"),
        text_column("variant", "interpretation"),
    ]
    for key, name in (("total", "total"), ("trainable", "trained")):
        columns += [
            number_column(f"{key}_printed", f"{name}, printed (M)"),
            number_column(f"{key}_counted", f"{name}, counted"),
            text_column(f"{key}_rounds", "rounds to it"),
        ]
    rows = [
        (
            text_cell(each.label),
            text_cell(each.variant_label),
            *_count(each.total),
            *_count(each.trainable),
            text_cell(each.note),
        )
        for each in counted.interpretations
    ]
    backbones = dict.fromkeys(
        BACKBONES[each.backbone].label for each in counted.interpretations if each.backbone
    )
    return Table(
        name="parameters",
        title=f"Table {counted.source.table}, counted",
        columns=(*columns, text_column("note", "note")),
        rows=tuple(rows),
        caption=caption_of(
            None,
            "Each line is a model that the printed name may stand for, counted on its modules, "
            "whatever was run; M = 10⁶.",
            backbones and f"On {', '.join(backbones)}: image encoder, mask decoder and adapters.",
        ),
    )


def _count(count: Count) -> list[TableCell]:
    printed = number_cell(float(count.printed), count.printed)
    if count.counted is None:
        return [printed, missing_cell("not counted"), DASH]
    rounds = "yes" if count.rounded == count.printed else f"no: {count.rounded}"
    return [printed, number_cell(count.counted, f"{count.counted:,}"), text_cell(rounds)]
