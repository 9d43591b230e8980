"""What there is to say of rows and runs besides their numbers."""

from collections.abc import Iterator

from ablate.report.model import RepeatState, Report, Row
from ablate.report.table import TableCell, text_cell
from ablate.runs import MicroBatch
from ablate.spec import Repeat, repeats_text

_CHANGED = (
    "Changed since it was run: the variant is declared otherwise today, and these numbers are "
    "those of the variant as it was run."
)


def label_cell(report: Report, row: Row) -> TableCell:
    """The row's label; it refers to one of ``footnotes_of`` where the row has one."""
    own = _footnote(row)
    if not own:
        return text_cell(row.label)
    number = next(n for n, text in enumerate(_distinct_footnotes(report), start=1) if text == own)
    return text_cell(row.label, footnote=number)


def footnotes_of(report: Report) -> tuple[str, ...]:
    """What the labels refer to: of rows that are changed, or were computed in less memory."""
    return tuple(_distinct_footnotes(report))


def _distinct_footnotes(report: Report) -> Iterator[str]:
    found: set[str] = set()
    for text in map(_footnote, report.rows):
        if text and text not in found:
            found.add(text)
            yield text


def _footnote(row: Row) -> str:
    """Everything that there is to know of a row's numbers as a whole; empty if nothing."""
    repeats: dict[str, list[Repeat]] = {}
    for run in row.repeats:
        for micro_batch in run.micro_batches:
            repeats.setdefault(short_memory(micro_batch), []).append(run.repeat)
    deviations = [f"{text}{_which(those, row)}." for text, those in repeats.items()]
    return " ".join([*([_CHANGED] if row.is_changed else []), *deviations])


def short_memory(micro_batch: MicroBatch) -> str:
    """What was done where a batch did not fit into memory."""
    how = (
        "training computed {} of a batch's {} images at once, with accumulated gradients and the "
        "loss of the whole batch"
        if micro_batch.purpose == "training"
        else "evaluation computed {} of a batch's {} images at once"
    ).format(micro_batch.images, micro_batch.batch)
    since = f"after {micro_batch.after_steps:,} steps, " if micro_batch.after_steps else ""
    return f"Memory was short: {since}{how}"


def _which(repeats: list[Repeat], row: Row) -> str:
    """The repeats, where they are not all of the row."""
    return "" if len(repeats) == len(row.repeats) else f" ({repeats_text(repeats)})"


def notes_of(report: Report) -> list[str]:
    """The agreement of orders, then every remark on runs with the runs that it is on."""
    runs: dict[str, list[str]] = {}
    for row in report.rows:
        repeats: dict[str, list[Repeat]] = {}
        for each in row.repeats:
            for remark in _remarks(each, report.positive_class):
                repeats.setdefault(remark, []).append(each.repeat)
        for remark, those in repeats.items():
            runs.setdefault(remark, []).append(f"{row.label}{_which(those, row)}")
    return [
        *_agreement(report),
        *(f"{remark}: {'; '.join(labels)}." for remark, labels in runs.items()),
    ]


def _agreement(report: Report) -> list[str]:
    rank = report.rank
    if rank is None or rank.tau_b is None:
        return []
    orders = f" Only the orders are compared; {report.watermark}." if report.watermark else ""
    return [
        f"Agreement with the published order of MIoU: Kendall's τ-b = {rank.tau_b:.2f} over "
        f"{rank.rows} rows ({rank.pairs} pair{'s' if rank.pairs != 1 else ''}).{orders}"
    ]


def _remarks(run: RepeatState, positive_class: str) -> list[str]:
    """Why a run has no result, or what is odd about it."""
    if run.state != "done":
        reason = f"{run.state} ({run.cause})" if run.cause else run.state
        return [f"{reason[0].upper()}{reason[1:]}"]
    remarks = []
    if run.has_no_positives:
        remarks.append(
            f"No pixel of its validation images is {positive_class}, so that recall, F1 and IoU of "
            "that class say nothing: they are 0, or 0/0 taken as 0"
        )
    if run.predicts_no_positives:
        remarks.append(
            f"Predicts no {positive_class} at all, so that the precision of that class is 0/0, "
            "taken as 0"
        )
    return remarks
