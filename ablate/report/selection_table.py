"""The table of the price of selection: selected, last and best epoch of every row."""

from ablate.report.model import Report, Row
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import repeats_word
from ablate.report.selection_model import Selection
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
from ablate.spec import repeats_text

# More selected epochs than these are shown as a range.
_LISTED = 5


def has_selection(report: Report) -> bool:
    """Whether some run was trained for more than one epoch, so that there was a choice."""
    return any(
        each.epochs > 1 for row in report.rows if row.selection for each in row.selection.repeats
    )


def selection_table(report: Report) -> Table:
    """MIoU of the selected, the last and the best epoch of each row."""
    return Table(
        name="selection",
        title="The price of selection",
        columns=(
            text_column("label", "Model"),
            number_column("n", "n", "left"),
            number_column("selected", "selected"),
            number_column("last", "last"),
            number_column("best", "best"),
            number_column("gain", "selected − last"),
            text_column("epochs", "selected epochs"),
        ),
        rows=tuple((label_cell(report, row), *_cells(row)) for row in report.rows),
        caption=caption_of(report.watermark, *_sentences(report)),
        footnotes=footnotes_of(report),
        notes=tuple(_notes(report)),
    )


def _cells(row: Row) -> list[TableCell]:
    selection = row.selection
    if selection is None:
        cell = missing_cell(str(row.missing_reason)) if row.missing_reason else DASH
        return [cell] * 6
    n = len(selection.repeats)
    count = number_cell(selection.n, None if selection.n == n else f"{selection.n} of {n}")
    return [
        count,
        *(_number(value) for value in (selection.selected, selection.last, selection.best)),
        _gain(selection),
        text_cell(_epochs(selection)),
    ]


def _number(value: float | None) -> TableCell:
    return missing_cell("unreadable") if value is None else number_cell(value, f"{value:.2f}")


def _gain(selection: Selection) -> TableCell:
    if selection.gain is None:
        return missing_cell("unreadable")
    spread = f" ± {selection.gain_sd:.2f}" if selection.gain_sd is not None else ""
    return number_cell(selection.gain, f"{selection.gain:+z.2f}{spread}")


def _epochs(selection: Selection) -> str:
    """``7, 9 of 20``, or ``3 … 14 of 20`` where there are many."""
    epochs = sorted({each.epoch for each in selection.repeats})
    listed = f"{epochs[0]} … {epochs[-1]}"
    if len(epochs) <= _LISTED:
        listed = ", ".join(map(str, epochs))
    return f"{listed} of {max(each.epochs for each in selection.repeats)}"


def _sentences(report: Report) -> list[str]:
    best = (
        "best: the highest MIoU of any epoch of each run, which only a choice by MIoU itself "
        "would give."
    )
    units = (
        f"MIoU in percent, the mean over n {repeats_word(report)}; differences in points, "
        "± standard deviation."
    )
    if report.provenance.context.protocol.selection == "last":
        return [units, f"The protocol keeps the last epoch, so nothing was chosen; {best}"]
    return [
        units,
        "The epoch of the lowest validation loss is chosen on the very images that it is scored "
        "on: selected − last is what that choice adds to the score of the last epoch, which "
        f"needs no choice; {best}",
    ]


def _notes(report: Report) -> list[str]:
    """For each row the repeats whose epochs cannot be read, and why in the first of them."""
    notes = []
    for row in report.rows:
        repeats = row.selection.repeats if row.selection else ()
        if unread := [each for each in repeats if each.missing_reason]:
            listed = repeats_text(each.repeat for each in unread)
            notes.append(f"No epochs of {row.label} ({listed}): {unread[0].missing_reason}.")
    return notes
