"""The tables of rows on other data sets: rows × data sets, then all metrics of each."""

from collections.abc import Sequence

from ablate.report.difference_tables import IMAGES_ONLY, difference_cells
from ablate.report.elsewhere_model import Elsewhere, OtherData
from ablate.report.held_out_model import HeldOut, HeldOutRow
from ablate.report.held_out_table import mean_cell
from ablate.report.mask_difference_tables import (
    delta_cells,
    delta_columns,
    delta_sentences,
    flat_cells,
    flat_names,
)
from ablate.report.table import (
    DASH,
    Table,
    TableCell,
    caption_of,
    number_cell,
    number_column,
    precise_cell,
    text_cell,
    text_column,
)
from ablate.spec import MASK_METRIC_NAMES, METRIC_NAMES, MetricName

_DELTA = ("delta_miou", "delta_miou_low", "delta_miou_high")


def elsewhere_tables(found: Elsewhere) -> list[Table]:
    """Rows × data sets by MIoU, then one table of all metrics for each data set."""
    of_each = (_of_data(found, each, n) for n, each in enumerate(found.data, start=1))
    return [_by_data(found), *of_each]


def _by_data(found: Elsewhere) -> Table:
    others = [f"{each.label} ({each.scores.images} images)" for each in found.data]
    sets: list[HeldOut] = [found.own, *(each.scores for each in found.data)]
    return Table(
        name="other-data",
        title=f"{found.title}: other data" if found.title else "Other data",
        columns=(
            text_column("label", "Model"),
            number_column("n", "n", "left"),
            number_column("own", f"{found.own_label} (own validation images)", "left"),
            *(
                number_column(f"data-{number}", heading, "left")
                for number, heading in enumerate(others, start=1)
            ),
        ),
        rows=tuple(
            (
                text_cell(row.label),
                number_cell(row.scores["miou"].n),
                *(
                    mean_cell(each.rows[place].scores["miou"], each.rows[place].missing_reason)
                    for each in sets
                ),
            )
            for place, row in enumerate(found.own.rows)
        ),
        caption=caption_of(
            found.watermark,
            "MIoU in percent, the mean over n runs, ± standard deviation: the weights of the "
            "selected epoch on all images of data sets that they were not trained on.",
        ),
        notes=found.notes,
    )


def _of_data(found: Elsewhere, data: OtherData, number: int) -> Table:
    has_delta = any(row.delta for row in data.scores.rows)
    deltas = (
        (number_column("delta", "Δ MIoU"), number_column("interval", "95 % interval"))
        if has_delta
        else ()
    )
    return Table(
        name=f"other-data-{number}",
        title=data.label,
        columns=(
            text_column("label", "Model"),
            number_column("n", "n", "left"),
            *(number_column(key, name, "left") for key, name in found.metrics.items()),
            *deltas,
            *delta_columns(data.scores.mask_differences, found.metrics),
        ),
        rows=tuple(_cells(found, data, row, has_delta) for row in data.scores.rows),
        caption=caption_of(found.watermark, *_sentences(found, data.scores, has_delta)),
    )


def _cells(
    found: Elsewhere, data: OtherData, row: HeldOutRow, has_delta: bool
) -> tuple[TableCell, ...]:
    cells = [
        text_cell(row.label),
        number_cell(len(row.repeats)),
        *(mean_cell(row.scores[metric], row.missing_reason) for metric in found.metrics),
    ]
    if has_delta and row.delta is None:
        cells += [text_cell("baseline") if row.name == found.baseline else DASH] * 2
    elif row.delta is not None:
        reason = row.missing_reason or row.delta.missing_reason
        cells += difference_cells(row.delta, reason)[1:]
    masks = data.scores.mask_differences
    return (*cells, *delta_cells(masks, row.name, found.baseline, row.missing_reason))


def _sentences(found: Elsewhere, scores: HeldOut, has_delta: bool) -> Sequence[str]:
    sentences = [
        f"Percent, the mean over n runs, ± standard deviation, on all {scores.images} images."
    ]
    baseline = next((row.label for row in scores.rows if row.name == found.baseline), None)
    if has_delta and baseline:
        sentences.append(f"Δ MIoU: minus that of {baseline}, in points, paired by repeat.")
        if drawn := scores.drawn_images:
            sentences.append(
                "The interval accounts for other trainings (Student's t over the runs) and for "
                f"other images of this data set ({drawn.draws:,} draws of {drawn.images}); with "
                f"one training of a row for other images alone ({IMAGES_ONLY})."
            )
        sentences += delta_sentences(scores.mask_differences, found.metrics)
    return sentences


def flat_elsewhere(found: Elsewhere) -> Table:
    """For programs: one line for each data set and row, and no empty cell."""
    names = [name for metric in _metrics(found) for name in (metric, f"{metric}_sd")]
    sets = [(found.own_label, "own validation images", found.own)]
    sets += [(each.label, "all images", each.scores) for each in found.data]
    return Table(
        name="flat",
        title=found.title,
        columns=(
            *(text_column(name, name) for name in ("data", "part", "variant", "label")),
            *(number_column(name, name, "left") for name in ("images", "n", *names, *_DELTA)),
            *(number_column(name, name, "left") for name in flat_names(_metrics(found))),
        ),
        rows=tuple(
            (
                *map(text_cell, (label, part, row.name, row.label)),
                number_cell(scores.images),
                number_cell(len(row.repeats)),
                *_numbers(found, row),
                *flat_cells(
                    scores.mask_differences,
                    _metrics(found),
                    row.name,
                    found.baseline,
                    row.missing_reason,
                ),
            )
            for label, part, scores in sets
            for row in scores.rows
        ),
    )


def _metrics(found: Elsewhere) -> tuple[MetricName, ...]:
    return (*METRIC_NAMES, *(name for name in MASK_METRIC_NAMES if name in found.metrics))


def _numbers(found: Elsewhere, row: HeldOutRow) -> list[TableCell]:
    values = [
        value
        for metric in _metrics(found)
        for value in (row.scores[metric].mean, row.scores[metric].sd)
    ]
    cells = [precise_cell(value, row.missing_reason) for value in values]
    if row.delta is None:
        return cells + [text_cell("baseline" if row.name == found.baseline else "n/a")] * 3
    reason = row.missing_reason or row.delta.missing_reason
    return cells + [
        precise_cell(v, reason) for v in (row.delta.mean, row.delta.low, row.delta.high)
    ]
