"""The table of the test part, and its columns in the table for programs."""

from ablate.report.difference_tables import IMAGES_ONLY, difference_cells
from ablate.report.held_out_model import HeldOut, HeldOutRow
from ablate.report.mask_difference_tables import (
    delta_cells,
    delta_columns,
    delta_sentences,
    flat_names,
)
from ablate.report.mask_difference_tables import flat_cells as flat_mask_cells
from ablate.report.model import Report, Row
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import repeats_word
from ablate.report.summary import metrics_of
from ablate.report.table import (
    DASH,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    precise_cell,
    text_cell,
    text_column,
)
from ablate.report.tuning_model import MeanScore

_DELTA = ("test_delta_miou", "test_delta_miou_low", "test_delta_miou_high")


def flat_columns(report: Report) -> tuple[str, ...]:
    """The columns that the table for programs has where some run has a test part."""
    scores = (f"test_{name}{end}" for name in metrics_of(report) for end in ("", "_sd"))
    masks = flat_names(metrics_of(report), "test_")
    return ("test_images", "test_n", *scores, *_DELTA, *masks)


def held_out_table(report: Report, tested: HeldOut) -> Table:
    """The sweep's metrics on the test images, and MIoU minus that of the baseline."""
    has_delta = any(row.delta for row in tested.rows)
    of_test = {row.name: row for row in tested.rows}
    return Table(
        name="test-part",
        title="Test part",
        columns=(
            text_column("label", "Model"),
            number_column("n", "n", "left"),
            *(number_column(key, name, "left") for key, name in report.metrics.items()),
            *(
                [number_column("delta", "Δ MIoU"), number_column("interval", "95 % interval")]
                if has_delta
                else []
            ),
            *delta_columns(tested.mask_differences, report.metrics),
        ),
        rows=tuple(
            (
                *_cells(row, of_test[row.name], report, has_delta),
                *delta_cells(
                    tested.mask_differences,
                    row.name,
                    report.baseline,
                    of_test[row.name].missing_reason,
                ),
            )
            for row in report.rows
        ),
        caption=caption_of(report.watermark, *_sentences(report, tested, has_delta)),
        footnotes=footnotes_of(report),
    )


def flat_cells(report: Report, tested: HeldOut, row: Row) -> list[TableCell]:
    """One row's cells of ``flat_columns``; a missing number has its reason."""
    own = next(each for each in tested.rows if each.name == row.name)
    cells = [number_cell(tested.images), number_cell(own.scores["miou"].n)]
    for metric in metrics_of(report):
        score = own.scores[metric]
        cells += [
            precise_cell(score.mean, own.missing_reason),
            precise_cell(score.sd, own.missing_reason),
        ]
    masks = flat_mask_cells(
        tested.mask_differences, metrics_of(report), row.name, report.baseline, own.missing_reason
    )
    if own.delta is None:
        text = "baseline" if row.name == report.baseline else "n/a"
        return [*cells, *[text_cell(text)] * len(_DELTA), *masks]
    reason = own.missing_reason or own.delta.missing_reason
    values = (own.delta.mean, own.delta.low, own.delta.high)
    return [*cells, *(precise_cell(value, reason) for value in values), *masks]


def _cells(row: Row, tested: HeldOutRow, report: Report, has_delta: bool) -> tuple[TableCell, ...]:
    n, planned = len(tested.repeats), len(row.repeats)
    cells = [
        label_cell(report, row),
        number_cell(n) if n == planned else number_cell(n, f"{n} of {planned}"),
        *(mean_cell(tested.scores[metric], tested.missing_reason) for metric in report.metrics),
    ]
    if has_delta and tested.delta is None:
        cells += [text_cell("baseline") if row.name == report.baseline else DASH] * 2
    elif tested.delta is not None:
        reason = tested.missing_reason or tested.delta.missing_reason
        cells += difference_cells(tested.delta, reason)[1:]
    return tuple(cells)


def mean_cell(score: MeanScore, reason: str | None) -> TableCell:
    """A mean with its standard deviation, or why there is none."""
    if score.mean is None:
        return missing_cell(str(reason))
    spread = f" ± {score.sd:.2f}" if score.sd is not None else ""
    return number_cell(score.mean, f"{score.mean:.2f}{spread}")


def _sentences(report: Report, tested: HeldOut, has_delta: bool) -> list[str]:
    repeats = repeats_word(report)
    sentences = [
        f"Percent, the mean over n {repeats}, ± standard deviation: the weights of the selected "
        f"epoch on {tested.images} test images that neither training nor the selection of an "
        "epoch has seen, the same for every split and seed."
    ]
    baseline = next((row.label for row in tested.rows if row.name == report.baseline), None)
    if has_delta and baseline:
        sentences.append(f"Δ MIoU: minus that of {baseline}, in points, paired by repeat.")
        if drawn := tested.drawn_images:
            sentences.append(
                f"The interval accounts for other trainings (Student's t over the {repeats}) and "
                f"for other test images ({drawn.draws:,} draws of {drawn.images}); with one "
                f"training of a row for other images alone ({IMAGES_ONLY})."
            )
        sentences += delta_sentences(tested.mask_differences, report.metrics)
    return sentences
