"""The tables of what the validation images can tell, and of how sure published differences are."""

from ablate.report.detectable_model import DetectableDifference
from ablate.report.model import Report
from ablate.report.printed_gaps_model import PrintedGap, PrintedGaps, Sureness
from ablate.report.score_cells import is_over_splits
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

_NOT_MEASURED = "not measured"
# With one repeat nothing is known of what another training would give.
_UNKNOWN = missing_cell("unknown")


def detectable_table(report: Report) -> Table:
    """The smallest difference that can be told of each pair of rows."""
    units = "splits" if is_over_splits(report) else "seeds"
    return Table(
        name="detectable",
        title="The smallest differences that these images can tell",
        columns=(
            text_column("first", "MIoU of"),
            text_column("second", "minus MIoU of"),
            number_column("images", "images"),
            number_column("units", units),
            number_column("congruence", "congruence"),
            number_column("one_training", "one training, images alone"),
            number_column("now", f"with these {units}"),
            number_column("unlimited", f"with infinitely many {units}"),
        ),
        rows=tuple(_detectable_cells(each) for each in report.detectable),
        caption=caption_of(
            report.watermark,
            "Percentage points of MIoU: the smallest difference that a 95 % interval separates "
            "from zero with 80 % power.",
            "Congruence: how the MIoU of the two rows varies together (correlation) when the "
            "images are drawn anew.",
            any(each.unlimited == 0 for each in report.detectable)
            and f"None seen: between the {units}, images made no difference in common.",
            detectable_sentence(report),
        ),
        notes=tuple(_notes(report.detectable)),
    )


def detectable_sentence(report: Report) -> str | None:
    """What these images can tell, in one sentence; None where nothing was measured."""
    units = "splits" if is_over_splits(report) else "seeds"
    now = [each.now for each in report.detectable if each.now is not None]
    last = [each.unlimited for each in report.detectable if each.unlimited]
    alone = [each.one_training for each in report.detectable if each.one_training is not None]
    if now:
        sentence = f"With these {units} it is {_range(now)} points, depending on the rows"
        if last:
            sentence += (
                f"; with infinitely many {units} on the same images it would be {_range(last)}"
            )
        return f"{sentence}."
    if alone:
        return (
            f"It is at least {_range(alone)} points, depending on the rows: so much comes from the "
            f"images alone. What trainings add takes two {units} to know."
        )
    return None


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _detectable_cells(each: DetectableDifference) -> tuple[TableCell, ...]:
    labels = text_cell(each.first), text_cell(each.second)
    if each.images is None:
        return (*labels, *[missing_cell(_NOT_MEASURED)] * 6)
    return (
        *labels,
        number_cell(each.images),
        number_cell(each.units),
        _congruence(each.congruence),
        *(_points(value) for value in (each.one_training, each.now)),
        _points(each.unlimited) if each.unlimited != 0 else missing_cell("none seen"),
    )


def _points(value: float | None) -> TableCell:
    return _UNKNOWN if value is None else number_cell(value, f"{value:.2f}")


def _congruence(value: float | None) -> TableCell:
    return DASH if value is None else number_cell(value, f"{value:.2f}")


def printed_gaps_table(report: Report, printed: PrintedGaps) -> Table:
    """How sure each published difference is."""
    source = f"Table {report.published.source.table}" if report.published else "the paper"
    return Table(
        name="printed-gaps",
        title="How sure the published differences are",
        columns=(
            text_column("first", "MIoU of"),
            text_column("second", "minus MIoU of"),
            number_column("printed", "published"),
            number_column("congruence", "congruence"),
            number_column("se", "± images"),
            number_column("other_sign", "P images"),
            number_column("independent", "P congruence 0"),
            number_column("se_training", "± with training"),
            number_column("other_sign_training", "P with training"),
            number_column("smallest", "smallest told"),
        ),
        rows=tuple(_gap_cells(gap) for gap in printed.gaps),
        caption=caption_of(
            report.watermark,
            f"Differences of MIoU as {source} prints them, one training of each row, in percentage "
            f"points, as if the published rows varied over {printed.images} images and over "
            "trainings as these rows do here.",
            "±: the standard error. P: the probability that the truth has the other sign (t "
            "distribution, flat prior; after arXiv:2505.04720). Images: over images alone, with "
            "the congruence of the two rows here, or with none. With training: over trainings as "
            "well, which takes two repeats.",
            "Smallest told: the smallest difference of one training each that 95 % intervals "
            "separate from zero with 80 % power, over images and training where known.",
        ),
        notes=tuple(_notes(printed.gaps)),
    )


def _gap_cells(gap: PrintedGap) -> tuple[TableCell, ...]:
    first = (
        text_cell(gap.first),
        text_cell(gap.second),
        number_cell(gap.printed, f"{gap.printed:+z.2f}"),
    )
    if gap.images is None:
        return (*first, *[missing_cell(_NOT_MEASURED)] * 7)
    smallest = (gap.training or gap.images).smallest
    return (
        *first,
        _congruence(gap.congruence),
        *_sureness_cells(gap.images),
        _sureness_cells(gap.independent)[1],
        *_sureness_cells(gap.training),
        number_cell(smallest, f"{smallest:.2f}"),
    )


def _sureness_cells(sureness: Sureness | None) -> tuple[TableCell, TableCell]:
    """The standard error and the probability of the other sign."""
    if sureness is None:
        return _UNKNOWN, _UNKNOWN
    p = sureness.other_sign
    text = "< 0.001" if p < 0.001 else f"{p:.3f}"
    return number_cell(sureness.se, f"{sureness.se:.2f}"), number_cell(p, text)


def _notes(each_pair: tuple[DetectableDifference, ...] | tuple[PrintedGap, ...]) -> list[str]:
    """Why pairs were not measured."""
    reasons: dict[str, list[str]] = {}
    for each in each_pair:
        if each.missing_reason:
            reasons.setdefault(each.missing_reason, []).append(f"{each.first}, {each.second}")
    return [f"Not measured ({reason}): {'; '.join(them)}." for reason, them in reasons.items()]
