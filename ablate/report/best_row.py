"""Whether one row is the best, or cannot be told apart from others."""

from collections.abc import Sequence

from ablate.report.comparison_model import BestRow
from ablate.report.differences import compare
from ablate.report.images import ImageDraws
from ablate.report.rows import RowRuns
from ablate.report.statistics import CONFIDENCE, mean_of


def best_row(rows: Sequence[RowRuns], draws: ImageDraws) -> BestRow | None:
    """Sets the row with the highest mean MIoU against every other one.

    Which row that is, the runs decide, so any of the others may have taken its place: each of the
    comparisons gets its share of the 5 % (Bonferroni).

    Args:
        rows: Those without a result are left out.
        draws: Of the images of their runs.

    Returns:
        None with fewer than two rows that have a result.
    """
    means = {place: mean_of(list(row.percent("miou").values())) for place, row in enumerate(rows)}
    known = {place: mean for place, mean in means.items() if mean is not None}
    if len(known) < 2:
        return None
    best = max(known, key=known.__getitem__)
    others = [rows[place] for place in known if place != best]
    confidence = 1 - (1 - CONFIDENCE) / len(others)
    not_told_apart, of_one_training = [], False
    for other in others:
        paired = compare(rows[best], other, draws).paired
        interval = paired.interval(confidence) if paired else None
        if interval is None or interval[0] <= 0:
            not_told_apart.append(other.name)
        of_one_training |= paired is None or paired.n < 2
    return BestRow(
        name=rows[best].name,
        comparisons=len(others),
        is_of_one_training=of_one_training,
        not_told_apart=tuple(not_told_apart),
    )
