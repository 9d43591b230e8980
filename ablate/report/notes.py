"""What there is to say of rows and runs besides their numbers."""

from ablate.report.model import RepeatState, Report, Row
from ablate.report.table import TableCell, text_cell
from ablate.spec import Repeat, repeats_text

_CHANGED = (
    "Changed since it was run: the variant is declared otherwise today, and these numbers are "
    "those of the variant as it was run."
)


def label_cell(row: Row) -> TableCell:
    """The row's label; that of a changed variant refers to the first of ``footnotes_of``."""
    return text_cell(row.label, footnote=1 if row.is_changed else None)


def footnotes_of(report: Report) -> tuple[str, ...]:
    """What the labels refer to."""
    return (_CHANGED,) if any(row.is_changed for row in report.rows) else ()


def notes_of(report: Report) -> list[str]:
    """The agreement of orders, then every remark on runs with the runs that it is on."""
    runs: dict[str, list[str]] = {}
    for row in report.rows:
        repeats: dict[str, list[Repeat]] = {}
        for each in row.repeats:
            for remark in _remarks(each, report.positive_class):
                repeats.setdefault(remark, []).append(each.repeat)
        for remark, those in repeats.items():
            # The repeats only where the remark is not on all of them.
            which = "" if len(those) == len(row.repeats) else f" ({repeats_text(those)})"
            runs.setdefault(remark, []).append(f"{row.label}{which}")
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
    if run.predicts_no_positives:
        return [
            f"Predicts no {positive_class} at all, so that the precision of that class is 0/0, "
            "taken as 0"
        ]
    return []
