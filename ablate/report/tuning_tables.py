"""Default beside tuned, what the trials cost, and the claims under tuning."""

from collections.abc import Iterable
from typing import Any

from ablate.report.difference_tables import (
    ADJUSTMENT,
    adjusted_p_cell,
    difference_cells,
    has_margins,
    interval_sentences,
    verdict_sentence,
)
from ablate.report.model import Report
from ablate.report.score_cells import repeats_word
from ablate.report.summary import HEADINGS
from ablate.report.table import (
    BLANK,
    DASH,
    Table,
    TableCell,
    caption_of,
    mark_cell,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)
from ablate.report.tuning_model import (
    DefaultAndTuned,
    MeanScore,
    RowTuning,
    TrialCounts,
    TuningSummary,
)


def tuned_rows(tuning: TuningSummary) -> list[RowTuning]:
    """The rows that there is something to tune in."""
    return [row for row in tuning.rows if row.is_trained]


def default_and_tuned_table(report: Report, tuning: TuningSummary) -> Table:
    """MIoU of each row as it is declared and with its best setting, and their difference."""
    keeps_last = report.provenance.context.protocol.selection == "last"
    rows = [line for row in tuned_rows(tuning) for line in _lines(row, tuning, keeps_last)]
    return Table(
        name="default-and-tuned",
        title="Default and tuned",
        columns=(
            text_column("label", "Model"),
            *(text_column(field, field) for field in tuning.space),
            text_column("epoch", "epoch"),
            number_column("n", "n"),
            number_column("default", "default"),
            number_column("tuned", "tuned"),
            number_column("difference", "tuned − default"),
            number_column("interval", "95 % interval"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "MIoU in percent, mean ± standard deviation; the difference in points, over the n "
            f"{repeats_word(report)} that both have, with Student's t interval over those pairs.",
            *_protocol_of_the_tuning(tuning, keeps_last),
        ),
    )


def trials_table(report: Report, tuning: TuningSummary) -> Table:
    """How the trials of each row ended and what they cost."""
    metric = HEADINGS[tuning.metric]
    rows = tuned_rows(tuning)
    return Table(
        name="trials",
        title=None,
        columns=(
            text_column("label", "Model"),
            number_column("trial", "chosen trial"),
            number_column("score", f"its {metric} on the inner split"),
            text_column("trials", "trials"),
            number_column("device_s", "device seconds"),
        ),
        rows=tuple(
            (
                text_cell(row.label),
                *_chosen(row),
                *_counts_and_seconds(row, tuning.budget),
            )
            for row in rows
        ),
        caption=caption_of(
            report.watermark,
            "What the trials gave and took. The score of the chosen trial is the highest of its "
            "row, and too high for that reason: the table above judges the setting.",
            any(not row.trials.is_device_s_whole for row in rows)
            and "≥: the seconds of the trials that are done; the others left no record of theirs.",
        ),
        notes=tuple(_causes(rows)),
    )


def tuned_claims_table(report: Report, tuning: TuningSummary) -> Table:
    """The verdicts on the defaults beside those on the tuned rows."""
    rows = []
    for number, claim in enumerate(tuning.claims, start=1):
        changed = "" if claim.is_changed is None else "yes" if claim.is_changed else "no"
        rows.append(
            (
                number_cell(number),
                text_cell(claim.claim),
                text_cell(claim.default),
                text_cell(claim.tuned),
                text_cell(changed) if changed else DASH,
            )
        )
    return Table(
        name="tuned-claims",
        title="Claims under tuning",
        columns=(
            number_column("number", "No."),
            text_column("claim", "Claim"),
            text_column("default", "default"),
            text_column("tuned", "tuned"),
            text_column("changed", "changed by tuning"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "The verdict on the rows as they are declared, and on the same rows each with its best "
            f"setting of equally many trials; {verdict_sentence(tuning.claims)}",
        ),
    )


def tuned_pairs_table(report: Report, tuning: TuningSummary) -> Table:
    """What each claim compares, tuned."""
    claimed = has_margins(tuning.claims)
    rows = [
        (
            number_cell(number),
            text_cell(pair.better),
            text_cell(pair.worse),
            *([text_cell(pair.claimed)] if claimed else []),
            *difference_cells(pair.difference, pair.difference.missing_reason),
            adjusted_p_cell(pair),
        )
        for number, claim in enumerate(tuning.claims, start=1)
        for pair in claim.pairs
    ]
    return Table(
        name="tuned-claim-pairs",
        title=None,
        columns=(
            number_column("number", "No."),
            text_column("better", "MIoU of"),
            text_column("worse", "minus MIoU of"),
            *([text_column("claimed", "claimed")] if claimed else []),
            number_column("n", "n"),
            number_column("difference", "tuned"),
            number_column("interval", "95 % interval"),
            number_column("p", "adjusted p"),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            "What each claim compares, tuned: MIoU of the selected epochs, in percentage points.",
            *interval_sentences(report),
            *ADJUSTMENT,
        ),
    )


# Default and tuned ----------------------------------------------------------------------


def _lines(row: RowTuning, tuning: TuningSummary, keeps_last: bool) -> list[tuple[TableCell, ...]]:
    """A line for the selected epochs, and one for the last ones where these are others."""
    setting = row.chosen.setting if row.chosen else {}
    first = [text_cell(row.label), *(_value(setting.get(field)) for field in tuning.space)]
    if keeps_last:
        return [(*first, text_cell("last"), *_scores(row, row.last))]
    return [
        (*first, text_cell("selected"), *_scores(row, row.selected)),
        (*(BLANK for _ in first), text_cell("last"), *_scores(row, row.last)),
    ]


def _value(value: bool | int | float | str | None) -> TableCell:
    match value:
        case None:
            return DASH
        case bool():
            return mark_cell(value)
        case str():
            return text_cell(value)
        case _:
            return number_cell(value, f"{value:.4g}" if isinstance(value, float) else str(value))


def _scores(row: RowTuning, scores: DefaultAndTuned) -> list[TableCell]:
    """The cells: n, default, tuned, difference and interval."""
    difference = scores.difference
    n, *cells = difference_cells(difference, difference.missing_reason)
    return [
        n,
        _mean(scores.default, difference.n, row.default_missing_reason),
        _mean(scores.tuned, difference.n, row.missing_reason),
        *cells,
    ]


def _mean(score: MeanScore, pairs: int, reason: str | None) -> TableCell:
    """The mean, with its own n where not all its runs are in the pairs."""
    if score.mean is None:
        return missing_cell(reason or "unreadable")
    spread = f" ± {score.sd:.2f}" if score.sd is not None else ""
    count = f" (n = {score.n})" if score.n != pairs else ""
    return number_cell(score.mean, f"{score.mean:.2f}{spread}{count}")


def _protocol_of_the_tuning(tuning: TuningSummary, keeps_last: bool) -> list[str]:
    """How the settings were found, and what each choice has seen."""
    sampler = tuning.sampler
    options = "".join(f", {name}={value}" for name, value in sorted(sampler.options.items()))
    metric = HEADINGS[tuning.metric]
    epoch = (
        "The last epoch is kept, which no choice has seen."
        if keeps_last
        else "The epoch is selected on the validation images, by default and tuned alike; no "
        "choice has seen the scores of the last epoch."
    )
    return [
        f"Budget: {tuning.budget} trials of every row, equal in number; {_seconds_range(tuning)}",
        f"Settings: sampler {sampler.name} (seed {sampler.seed}{options}; {sampler.library}).",
        f"Space: {'; '.join(f'{field}: {_domain(each)}' for field, each in tuning.space.items())}.",
        f"Each trial trains on {tuning.train} and validates on {tuning.validation} of the training "
        f"images (the inner split), and the setting with the highest {metric} there is trained "
        "anew on the sweep's own split and seeds: the choice of the setting saw training images "
        "only.",
        epoch,
    ]


def _seconds_range(tuning: TuningSummary) -> str:
    """The device seconds of the cheapest and the most expensive row."""
    rows = [row for row in tuned_rows(tuning) if row.trials.done]
    if not rows:
        return "none is done yet."
    low = min(rows, key=lambda row: row.trials.device_s)
    high = max(rows, key=lambda row: row.trials.device_s)
    if low is high:
        return f"in device seconds {low.trials.device_s:.1f} ({low.label})."
    return (
        f"in device seconds from {low.trials.device_s:.1f} ({low.label}) to "
        f"{high.trials.device_s:.1f} ({high.label})."
    )


def _domain(declared: Any) -> str:
    """A declared range or list of choices; what it leaves at its default is not printed."""
    if isinstance(declared, dict):
        given = {key: value for key, value in declared.items() if value not in (None, False, [])}
        return ", ".join(f"{key} {_domain(value)}" for key, value in given.items())
    if isinstance(declared, list | tuple):
        return " | ".join(map(str, declared))
    return str(declared)


# Trials ---------------------------------------------------------------------------------


def _chosen(row: RowTuning) -> list[TableCell]:
    if row.chosen is None:
        return [missing_cell(str(row.missing_reason))] * 2
    score = row.chosen.score
    return [
        number_cell(row.chosen.trial),
        missing_cell("unreadable") if score is None else number_cell(score, f"{score:.2f}"),
    ]


def _counts_and_seconds(row: RowTuning, budget: int) -> list[TableCell]:
    if not row.trials.total:
        return [missing_cell(str(row.missing_reason))] * 2
    return [text_cell(_counted(row.trials, budget)), _seconds(row.trials)]


def _counted(trials: TrialCounts, budget: int) -> str:
    """``14 done, 2 diverged of 16``."""
    counts = {
        "done": trials.done,
        "failed": trials.failed,
        "diverged": trials.diverged,
        "not ended": trials.open,
        "unreadable": trials.unreadable,
    }
    parts = [f"{count} {name}" for name, count in counts.items() if count or name == "done"]
    return f"{', '.join(parts)} of {budget}"


def _seconds(trials: TrialCounts) -> TableCell:
    sign = "" if trials.is_device_s_whole else "≥ "
    return number_cell(trials.device_s, f"{sign}{trials.device_s:.1f}")


def _causes(rows: Iterable[RowTuning]) -> list[str]:
    """Every cause with the trials that it stopped."""
    trials: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        for number, cause in row.trials.causes.items():
            trials.setdefault(cause, {}).setdefault(row.label, []).append(number)
    return [
        f"Trials without a score ({cause}): "
        + "; ".join(f"{label}, {', '.join(map(str, each))}" for label, each in by_row.items())
        + "."
        for cause, by_row in trials.items()
    ]
