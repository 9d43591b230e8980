"""What the number of trials decides: expected best of k, changes of order, pairs of settings."""

from ablate.report.model import Report
from ablate.report.summary import HEADINGS
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
from ablate.report.tuning_model import RowTuning, SettingDifference, TuningSummary
from ablate.report.tuning_tables import tuned_rows


def best_of_k_table(report: Report, tuning: TuningSummary) -> Table:
    """The expected best inner score of each row for some numbers of trials."""
    rows, metric = tuned_rows(tuning), HEADINGS[tuning.metric]
    shown = _shown(max((len(row.best_of_k) for row in rows), default=0))
    return Table(
        name="best-of-k",
        title="Expected best of k trials",
        columns=(
            text_column("label", "Model"),
            number_column("n", "trials"),
            *(number_column(f"k{k}", f"k = {k}") for k in shown),
        ),
        rows=tuple(
            (text_cell(row.label), number_cell(len(row.best_of_k)), *(_best(row, k) for k in shown))
            for row in rows
        ),
        caption=caption_of(
            report.watermark,
            f"{metric} in percent on the inner split: the mean of the best of k trials over all "
            "subsets of k of the trials that ended, which is without bias (Tang et al. 2020); at "
            "k = 1 the mean of all trials, at the largest k the best one. A trial that failed or "
            "diverged gave no model and counts as 0.",
        ),
        notes=()
        if tuning.order_changes
        else ("The order of the rows is the same at every k that they share.",),
    )


def order_changes_table(report: Report, tuning: TuningSummary) -> Table:
    """From which number of trials on one row is ahead of another that was ahead of it."""
    return Table(
        name="best-of-k-order",
        title=None,
        columns=(
            number_column("k", "from k"),
            text_column("ahead", "is ahead"),
            text_column("behind", "of"),
        ),
        rows=tuple(
            (number_cell(change.k), text_cell(change.ahead), text_cell(change.behind))
            for change in tuning.order_changes
        ),
        caption=caption_of(
            report.watermark,
            "Where the number of trials decides which of two rows is better: below this k the "
            "order was the other one.",
        ),
    )


def has_pairs_of_settings(tuning: TuningSummary) -> bool:
    """Whether some row has a setting in common with the baseline."""
    return any(row.by_setting for row in tuning.rows)


def by_setting_table(report: Report, tuning: TuningSummary) -> Table:
    """The inner score of each row minus the baseline's, over equal settings."""
    labels = {row.name: row.label for row in tuning.rows}
    baseline = labels.get(str(report.baseline), str(report.baseline))
    return Table(
        name="by-setting",
        title="Paired by setting",
        columns=(
            text_column("label", "Model"),
            number_column("n", "n"),
            number_column("difference", "difference"),
            number_column("interval", "95 % interval"),
        ),
        rows=tuple(
            (text_cell(row.label), *_pairs(row, report.baseline)) for row in tuned_rows(tuning)
        ),
        caption=caption_of(
            report.watermark,
            f"{HEADINGS[tuning.metric]} on the inner split of each row minus that of {baseline}, "
            "in percentage points, over the n settings that both were tried with (equal in all "
            "fields that both have) and have a score for: mean ± standard deviation over settings, "
            "and Student's t interval of the mean. It compares the rows over the whole space, not "
            "at their best.",
        ),
    )


def _shown(n: int) -> list[int]:
    """1, 2, 4, 8 … and n."""
    powers = [1 << power for power in range(n.bit_length())]
    return sorted({*powers, n} - {0})


def _best(row: RowTuning, k: int) -> TableCell:
    if not row.best_of_k:
        return missing_cell(str(row.missing_reason))
    if k > len(row.best_of_k):
        return missing_cell("too few trials")
    best = row.best_of_k[k - 1]
    return number_cell(best, f"{best:.2f}")


def _pairs(row: RowTuning, baseline: str | None) -> list[TableCell]:
    if row.name == baseline:
        return [text_cell("baseline")] * 3
    difference = row.by_setting or SettingDifference(n=0, mean=None, sd=None, low=None, high=None)
    mean, sd, low, high = difference.mean, difference.sd, difference.low, difference.high
    spread = f" ± {sd:.2f}" if sd is not None else ""
    return [
        number_cell(difference.n),
        missing_cell("no setting in common")
        if mean is None
        else number_cell(mean, f"{mean:+z.2f}{spread}"),
        DASH if low is None or high is None else text_cell(f"{low:+z.2f} … {high:+z.2f}"),
    ]
