"""The scores on the test part: of the weights that validation images selected, on others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.report.differences import compare, draw_images_of
from ablate.report.held_out_model import HeldOut, HeldOutRepeat, HeldOutRow
from ablate.report.images import ImageDraws, draw_images
from ablate.report.mask_differences import mask_differences_of
from ablate.report.results import RunRecord
from ablate.report.rows import RowRuns
from ablate.report.statistics import mean_of, sd_of
from ablate.report.tuning_model import MeanScore
from ablate.spec import METRIC_NAMES, MetricName, Sweep, Task


def held_out_of(rows: Mapping[str, RowRuns], sweep: Sweep, task: Task) -> HeldOut | None:
    """All rows on the test part.

    Args:
        rows: By name, with their runs on the validation images.
        sweep: With the baseline and the claims.
        task: Says what is counted besides pixels.

    Returns:
        None where no run has a test part.
    """
    tested = {name: _on_test_part(row) for name, row in rows.items()}
    if not any(run.finished for row in tested.values() for run in row.runs):
        return None
    return scores_on(tested, sweep, task)


def scores_on(rows: Mapping[str, RowRuns], sweep: Sweep | None, task: Task) -> HeldOut:
    """Rows on images that selected nothing: each with its mean, and set against the baseline.

    Args:
        rows: By name; the results of their runs are those on these images.
        sweep: With the baseline and the claims; None: there is none.
        task: Says what is counted besides pixels.
    """
    runs = [run for row in rows.values() for run in row.runs if run.finished]
    baseline = rows.get(sweep.baseline or "") if sweep else None
    draws = draw_images_of(rows, sweep) if sweep else draw_images(runs)
    metrics = (*METRIC_NAMES, *task.mask_metrics)
    return HeldOut(
        images=max((len(run.finished.confusions.names) for run in runs if run.finished), default=0),
        drawn_images=draws.drawn_images(),
        rows=tuple(_row(row, baseline, draws, metrics) for row in rows.values()),
        mask_differences=mask_differences_of(rows, sweep, task) if sweep else (),
    )


def _on_test_part(row: RowRuns) -> RowRuns:
    """The row with its scores and pixels on the test part in place of the validation part's."""
    return replace(row, printed=None, runs=tuple(map(_run_on_test_part, row.runs)))


def _run_on_test_part(run: RunRecord) -> RunRecord:
    finished = run.finished
    if finished is None:
        return run
    test, confusions = finished.result.test, finished.test_confusions
    if test is None or confusions is None:
        return replace(run, finished=None, missing_reason="unreadable", cause="no test scores")
    scored = {"metrics": test.metrics, "confusion": test.confusion}
    result = finished.result.model_copy(update=scored)
    return replace(run, finished=replace(finished, result=result, confusions=confusions))


def _row(
    row: RowRuns, baseline: RowRuns | None, draws: ImageDraws, metrics: Sequence[MetricName]
) -> HeldOutRow:
    is_compared = baseline is not None and baseline.name != row.name
    by_metric = {metric: row.percent(metric) for metric in metrics}
    return HeldOutRow(
        name=row.name,
        label=row.label,
        missing_reason=row.missing_reason,
        scores={
            metric: MeanScore(
                n=len(values), mean=mean_of([*values.values()]), sd=sd_of([*values.values()])
            )
            for metric, values in by_metric.items()
        },
        delta=compare(row, baseline, draws).difference if is_compared and baseline else None,
        repeats=tuple(
            HeldOutRepeat(
                split=repeat.split,
                seed=repeat.seed,
                scores={metric: values[repeat] for metric, values in by_metric.items()},
            )
            for repeat in by_metric["miou"]
        ),
    )
