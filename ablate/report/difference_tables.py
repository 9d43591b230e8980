"""Differences between rows, and the claims that they support or not."""

from collections.abc import Iterable

from ablate.report.comparison_model import Claim, Method, Pair
from ablate.report.model import Difference, Report
from ablate.report.notes import footnotes_of, label_cell
from ablate.report.score_cells import repeats_word
from ablate.report.table import (
    DASH,
    NOT_REPORTED,
    Column,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)
from ablate.report.tuning_model import TunedClaim
from ablate.spec import JUST_AHEAD

IMAGES_ONLY = "images only"
"""What marks an interval that is blind to other trainings."""

ADJUSTMENT = (
    "The intervals are not adjusted.",
    "The p values are, by Holm's procedure over all pairs of the claims: the probability that any "
    "of them is decided wrongly is at most 5 %.",
)
"""What is said of intervals and p values of claims."""

_LEAST_P = 0.001


def _difference_columns(report: Report) -> list[Column]:
    names = {"n": "n", "difference": "reproduced", "interval": "95 % interval"}
    if report.published:
        names["published"] = "published"
    return [number_column(key, heading) for key, heading in names.items()]


def _difference(report: Report, difference: Difference, reason: str | None) -> list[TableCell]:
    """The cells: n, reproduced, interval and, where there are published values, published."""
    cells = difference_cells(difference, reason)
    if report.published is None:
        return cells
    published = difference.published
    printed = NOT_REPORTED if published is None else number_cell(published, f"{published:+z.2f}")
    return [*cells, printed]


def difference_cells(difference: Difference, reason: str | None) -> list[TableCell]:
    """The cells: n, the mean or why there is none, and its interval."""
    mean, low, high = difference.mean, difference.low, difference.high
    return [
        number_cell(difference.n),
        missing_cell(str(reason)) if mean is None else number_cell(mean, f"{mean:+z.2f}"),
        DASH if low is None or high is None else _interval(low, high, difference.method),
    ]


def _interval(low: float, high: float, method: Method | None) -> TableCell:
    """The interval; marked where it says nothing of another training."""
    only = f" ({IMAGES_ONLY})" if method == "images" else ""
    return text_cell(f"{low:+z.2f} … {high:+z.2f}{only}")


def interval_sentences(report: Report) -> list[str]:
    """What the intervals of a table account for."""
    drawn = report.drawn_images
    if drawn is None:
        return []
    return [
        f"The interval accounts for other trainings (Student's t over the {repeats_word(report)}) "
        f"and for other validation images ({drawn.draws:,} draws of {drawn.images}); with one "
        f"training of a row for other images alone ({IMAGES_ONLY}): it does not tell what another "
        "training would give."
    ]


def adjusted_p_cell(pair: Pair) -> TableCell:
    """The p value after Holm's adjustment."""
    p = pair.p_adjusted
    if p is None:
        return DASH
    return number_cell(p, f"{p:.3f}" if p >= _LEAST_P else f"< {_LEAST_P}")


def differences_table(report: Report) -> Table:
    """MIoU of every row minus that of the baseline."""
    columns = _difference_columns(report)
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(str(report.baseline), str(report.baseline))
    rows = []
    for row in report.rows:
        if row.delta is None:
            cells = [text_cell("baseline") for _ in columns]
        else:
            reason = row.missing_reason or row.delta.missing_reason
            cells = _difference(report, row.delta, reason)
        rows.append((label_cell(report, row), *cells))
    return Table(
        name="differences",
        title=f"Difference to {baseline}",
        columns=(text_column("label", "Model"), *columns),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            f"MIoU of each row minus that of {baseline}, in percentage points, over the n "
            f"{repeats_word(report)} that both have.",
            *interval_sentences(report),
            "Exploratory: the intervals are not adjusted for there being several rows.",
        ),
        footnotes=footnotes_of(report),
    )


def claims_table(report: Report) -> Table:
    """The claims and their verdicts."""
    columns = [
        number_column("number", "No."),
        text_column("claim", "Claim"),
        text_column("reproduced", "reproduced"),
    ]
    if report.published:
        columns.append(text_column("published", "published"))
    rows = []
    for number, claim in enumerate(report.claims, start=1):
        cells = [number_cell(number), text_cell(claim.claim), text_cell(claim.reproduced)]
        if report.published:
            cells.append(text_cell(str(claim.published)))
        rows.append(tuple(cells))
    return Table(
        name="claims",
        title="Claims",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            f"Reproduced: {verdict_sentence(report.claims)}",
            report.published
            and "Published: the printed numbers as they are; their n and spread are not reported.",
        ),
    )


def pairs_table(report: Report) -> Table:
    """What each claim compares."""
    claimed = has_margins(report.claims)
    rows = [
        (
            number_cell(number),
            text_cell(pair.better),
            text_cell(pair.worse),
            *([text_cell(pair.claimed)] if claimed else []),
            *_difference(report, pair.difference, pair.difference.missing_reason),
            adjusted_p_cell(pair),
        )
        for number, claim in enumerate(report.claims, start=1)
        for pair in claim.pairs
    ]
    return Table(
        name="claim-pairs",
        title=None,
        columns=(
            number_column("number", "No."),
            text_column("better", "MIoU of"),
            text_column("worse", "minus MIoU of"),
            *([text_column("claimed", "claimed")] if claimed else []),
            *_difference_columns(report),
            number_column("p", "adjusted p"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "What each claim compares: MIoU, in percentage points.",
            *interval_sentences(report),
            *ADJUSTMENT,
        ),
    )


def has_margins(claims: Iterable[Claim | TunedClaim]) -> bool:
    """Whether some claim says more than that one row is ahead of another."""
    return any(pair.claimed != JUST_AHEAD for claim in claims for pair in claim.pairs)


def verdict_sentence(claims: Iterable[Claim | TunedClaim]) -> str:
    """What the verdicts of claims mean."""
    if has_margins(claims):
        return (
            "holds if every difference below is as claimed, does not hold if one is not, each with "
            "an adjusted p of at most 0.05."
        )
    return (
        "holds if every difference below is above 0, does not hold if one is below 0, each with an "
        "adjusted p of at most 0.05."
    )
