"""Printed parameters beside counted ones."""

from ablate.report.model import Count, CountedParameters
from ablate.report.table import (
    DASH,
    Column,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    text_cell,
)
from ablate.spec import BACKBONES


def parameters_table(counted: CountedParameters) -> Table:
    """A published table of parameters; no run has a part in it, so it has no watermark."""
    columns = [
        Column(key="label", heading="Model"),
        Column(key="variant", heading="interpretation"),
    ]
    for key, name in (("total", "total"), ("trainable", "trained")):
        columns += [
            Column(
                key=f"{key}_printed",
                heading=f"{name}, printed (M)",
                kind="number",
                alignment="right",
            ),
            Column(
                key=f"{key}_counted", heading=f"{name}, counted", kind="number", alignment="right"
            ),
            Column(key=f"{key}_rounds", heading="rounds to it"),
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
        columns=(*columns, Column(key="note", heading="note")),
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
