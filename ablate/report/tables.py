"""From the report to its tables: every heading, number, word and gap that is printed.

Writers print these tables as they are; see ``ablate.report.writers``.
"""

from collections.abc import Sequence

from ablate.report.best_of_k_tables import (
    best_of_k_table,
    by_setting_table,
    has_pairs_of_settings,
    order_changes_table,
)
from ablate.report.comparison_notes import comparison_notes
from ablate.report.costs_table import costs_table
from ablate.report.difference_tables import claims_table, differences_table, pairs_table
from ablate.report.effects_table import effects_tables
from ablate.report.elsewhere_tables import elsewhere_tables
from ablate.report.held_out_table import held_out_table
from ablate.report.mask_difference_tables import mask_differences_tables
from ablate.report.matched import matched_table
from ablate.report.model import Report, Row, Score
from ablate.report.notes import footnotes_of, label_cell, notes_of
from ablate.report.parameters_table import parameters_table
from ablate.report.printed_gaps_table import detectable_table, printed_gaps_table
from ablate.report.published import METRICS_OF
from ablate.report.runs_table import runs_table
from ablate.report.score_cells import (
    count_cell,
    is_repeated,
    printed_cell,
    repeats_word,
    row_score_cell,
    score_cell,
    structure_cell,
)
from ablate.report.selection_table import has_selection, selection_table
from ablate.report.spread_table import spread_table
from ablate.report.summary import HEADINGS
from ablate.report.table import (
    BLANK,
    DASH,
    Table,
    TableCell,
    caption_of,
    number_column,
    text_cell,
    text_column,
)
from ablate.report.tuning_tables import (
    default_and_tuned_table,
    trials_table,
    tuned_claims_table,
    tuned_pairs_table,
)
from ablate.report.verdicts import ONE_SEED_TOLERANCE
from ablate.spec import MetricName, repeats_text


def tables_of(report: Report) -> list[Table]:
    """All tables of a report, in the order of the page."""
    positive = _positive_metrics(report)
    return [
        _scores(report),
        *([differences_table(report)] if report.baseline else []),
        *mask_differences_tables(report),
        *([claims_table(report), pairs_table(report)] if report.claims else []),
        *([spread_table(report)] if report.spread else []),
        *([detectable_table(report)] if report.detectable else []),
        *([printed_gaps_table(report, report.printed_gaps)] if report.printed_gaps else []),
        *([selection_table(report)] if has_selection(report) else []),
        *([held_out_table(report, report.held_out)] if report.held_out else []),
        *(elsewhere_tables(report.elsewhere) if report.elsewhere else []),
        *_tuning(report),
        *([_positive_class(report, positive)] if positive else []),
        *([parameters_table(report.parameters)] if report.parameters else []),
        *(effects_tables(report.effects, report.watermark) if report.effects else []),
        *([matched_table(report.matched)] if report.matched else []),
        *_costs(report),
        runs_table(report),
    ]


def _tuning(report: Report) -> list[Table]:
    """What tuning gave; nothing for a sweep that was never tuned."""
    if (tuning := report.tuning) is None:
        return []
    return [
        default_and_tuned_table(report, tuning),
        trials_table(report, tuning),
        *(
            [tuned_claims_table(report, tuning), tuned_pairs_table(report, tuning)]
            if tuning.claims
            else []
        ),
        best_of_k_table(report, tuning),
        *([order_changes_table(report, tuning)] if tuning.order_changes else []),
        *([by_setting_table(report, tuning)] if has_pairs_of_settings(tuning) else []),
    ]


def _costs(report: Report) -> list[Table]:
    """What the runs have cost; nothing as long as none has begun."""
    costs = report.costs
    return [costs_table(costs, report.watermark)] if costs and costs.total.runs else []


# Scores ---------------------------------------------------------------------------------


def _scores(report: Report) -> Table:
    """The paper's table: the published line is under the reproduced one, digit under digit."""
    repeated, published = is_repeated(report), report.published
    columns = [
        text_column("label", "Model"),
        *(text_column(key, each.heading) for key, each in report.structure.items()),
        *([text_column("values", "values")] if published else []),
        *([number_column("n", "n", "left")] if repeated else []),
        *(number_column(key, name, "left") for key, name in report.metrics.items()),
    ]
    has_verdicts = _has_verdicts(report)
    lines = [line for row in report.rows for line in _lines(report, row, repeated, has_verdicts)]
    source = f"Table {published.source.table}" if published else ""
    return Table(
        name="scores",
        title=f"{source}, reproduced and published" if published else "Scores",
        columns=tuple(columns),
        rows=tuple(lines),
        caption=_scores_caption(report),
        footnotes=footnotes_of(report),
        notes=(*notes_of(report), *comparison_notes(report)),
    )


def _lines(
    report: Report, row: Row, repeated: bool, has_verdicts: bool
) -> list[tuple[TableCell, ...]]:
    """The lines of one row: reproduced, published, verdict."""
    first = [
        label_cell(report, row),
        *(structure_cell(row, *each) for each in report.structure.items()),
    ]
    n = [count_cell(row)] if repeated else []
    reproduced = [row_score_cell(report, row, metric) for metric in report.metrics]
    if report.published is None:
        return [(*first, *n, *reproduced)]
    below, no_n = [BLANK] * len(first), [DASH for _ in n]
    printed = [printed_cell(row.scores[metric]) for metric in report.metrics]
    lines = [
        (*first, text_cell("reproduced"), *n, *reproduced),
        (*below, text_cell("published"), *no_n, *printed),
    ]
    if has_verdicts:
        verdicts = [_verdict(row.scores[metric]) for metric in report.metrics]
        lines.append((*below, text_cell("verdict"), *no_n, *verdicts))
    return lines


def _verdict(score: Score) -> TableCell:
    """``yes``, or by how many points not; with the tolerance where it depends on the runs."""
    verdict = score.verdict
    if verdict is None:
        return DASH
    text = "yes" if verdict.is_reproduced else f"no: {verdict.difference:+z.2f}"
    return text_cell(text if score.n == 1 else f"{text} (± {verdict.tolerance:.2f})")


def _has_verdicts(report: Report) -> bool:
    return any(score.verdict for row in report.rows for score in row.scores.values())


def _scores_caption(report: Report) -> str:
    repeats = {each.repeat for row in report.rows for each in row.repeats}
    listed = repeats_text(repeats)
    published = report.published
    return caption_of(
        report.watermark,
        "Percent.",
        *_convention(report),
        f"Reproduced: mean ± standard deviation over n {repeats_word(report)} ({listed})."
        if len(repeats) > 1
        else f"Reproduced: one run a row ({listed}), so no spread.",
        published and f"Published: as Table {published.source.table} prints it.",
        _has_verdicts(report)
        and f"Verdict: yes if reproduced and published differ by at most {ONE_SEED_TOLERANCE} "
        "points (one run) or lie within the 95 % prediction interval of one more training "
        "(several); else the difference in points.",
        published
        and report.watermark
        and "No verdict on each number, since they are not comparable.",
    )


def _convention(report: Report) -> list[str]:
    """What P, REC and F1 of the table mean."""
    headings, sentences = report.metrics, []
    means = [headings[name] for name in ("precision", "recall") if name in headings]
    classes = f"the two classes ({report.positive_class} and background)"
    if len(means) == 2 and "f1" in headings:
        sentences.append(
            f"{' and '.join(means)} are means over {classes}, {headings['f1']} is their harmonic "
            "mean."
        )
    elif means:
        sentences.append(f"{' and '.join(means)}: the mean over {classes}.")
    elif "f1" in headings:
        sentences.append(f"{headings['f1']}: the harmonic mean of P and REC over {classes}.")
    if alone := [headings[name] for name in METRICS_OF["positive-class"] if name in headings]:
        sentences.append(f"{', '.join(alone)}: of the {report.positive_class} class alone.")
    return sentences


# The positive class ---------------------------------------------------------------------


def _positive_metrics(report: Report) -> list[MetricName]:
    """The scores of the positive class alone that the first table does not show."""
    return [name for name in METRICS_OF["positive-class"] if name not in report.metrics]


def _positive_class(report: Report, metrics: Sequence[MetricName]) -> Table:
    rows = [
        (label_cell(report, row), *(score_cell(row, row.scores[name]) for name in metrics))
        for row in report.rows
    ]
    return Table(
        name="positive-class",
        title=f"The {report.positive_class} class alone",
        columns=(
            text_column("label", "Model"),
            *(number_column(name, HEADINGS[name], "left") for name in metrics),
        ),
        rows=tuple(rows),
        caption=caption_of(
            report.watermark,
            f"Percent. Precision, recall and F1 of the {report.positive_class} class, without the "
            "background.",
            report.published and "The paper does not report them.",
        ),
        footnotes=footnotes_of(report),
    )
