"""Rows against the baseline by the metrics that a task counts besides pixels."""

from collections.abc import Mapping

from ablate.report.comparison_model import MaskDifferences
from ablate.report.differences import compare, draw_images_of
from ablate.report.rows import RowRuns
from ablate.spec import MaskMetricName, Sweep, Task


def mask_differences_of(
    rows: Mapping[str, RowRuns], sweep: Sweep, task: Task
) -> tuple[MaskDifferences, ...]:
    """One for each metric of masks that the task names; none without a baseline among the rows.

    Args:
        rows: By name.
        sweep: With the baseline.
        task: Names the metrics.
    """
    baseline = rows.get(sweep.baseline or "")
    if baseline is None or len(rows) < 2:
        return ()
    return tuple(_of(metric, rows, baseline, sweep) for metric in task.mask_metrics)


def _of(
    metric: MaskMetricName, rows: Mapping[str, RowRuns], baseline: RowRuns, sweep: Sweep
) -> MaskDifferences:
    draws = draw_images_of(rows, sweep, metric)
    return MaskDifferences(
        metric=metric,
        drawn_images=draws.drawn_images(),
        rows={
            name: compare(row, baseline, draws).difference
            for name, row in rows.items()
            if name != baseline.name
        },
    )
