"""Whether a published value was reproduced, and whether the order of the rows was."""

import math
from collections.abc import Sequence

from ablate.report.model import RankAgreement, Row, Verdict
from ablate.report.statistics import mean_of, quantile_of, sd_of, tau_b

# Percentage points. One training shows no spread of its own; all but one of the gaps between
# neighbouring MIoUs of the paper's Table IV are wider than this.
ONE_SEED_TOLERANCE = 0.5


def verdict_of(values: Sequence[float], published: float) -> Verdict | None:
    """Sets the reproduced values of one metric (percent, by repeat) beside the published one.

    The paper prints one training of each model. With several repeats the tolerance is therefore
    half of the 95 % prediction interval of one more training, t·sd·√(1 + 1/n) (Student's t of
    n - 1 degrees of freedom); with one it is ONE_SEED_TOLERANCE.

    Returns:
        None without a value.
    """
    mean, sd, n = mean_of(values), sd_of(values), len(values)
    if mean is None:
        return None
    tolerance = ONE_SEED_TOLERANCE
    if sd is not None:
        tolerance = quantile_of(n) * sd * math.sqrt(1 + 1 / n)
    # A millionth of a point: binary fractions must not decide.
    is_reproduced = abs(mean - published) <= tolerance + 1e-6
    return Verdict(is_reproduced=is_reproduced, tolerance=tolerance, difference=mean - published)


def rank_agreement(rows: Sequence[Row]) -> RankAgreement:
    """How far the rows' order by MIoU is the published one, over the rows that have both."""
    both = [
        (score.mean, score.published)
        for score in (row.scores["miou"] for row in rows)
        if score.mean is not None and score.published is not None
    ]
    return RankAgreement(
        metric="miou",
        tau_b=tau_b([mean for mean, _ in both], [published for _, published in both]),
        rows=len(both),
        pairs=math.comb(len(both), 2),
    )
