"""The scores on the test part, as values; percent, differences in percentage points."""

from ablate.report.comparison_model import Difference, DrawnImages, MaskDifferences
from ablate.report.tuning_model import MeanScore
from ablate.spec import Frozen, MetricName


class HeldOutRepeat(Frozen):
    """What one run gives on the test part.

    Attributes:
        split: The number of the run's split; the test part is that of every split.
        seed: The run's seed.
        scores: By metric.
    """

    split: int
    seed: int
    scores: dict[MetricName, float]


class HeldOutRow(Frozen):
    """One row on the test part.

    Attributes:
        name: The variant's name.
        label: What tables print.
        missing_reason: Why there are no scores; None if there are.
        scores: Over repeats, by metric.
        delta: MIoU minus the baseline's; None for the baseline and where there is none.
        repeats: The runs with scores, by split and seed.
    """

    name: str
    label: str
    missing_reason: str | None
    scores: dict[MetricName, MeanScore]
    delta: Difference | None
    repeats: tuple[HeldOutRepeat, ...]


class HeldOut(Frozen):
    """The test part, which neither training nor the selection of an epoch has seen.

    Attributes:
        images: How many images it has.
        drawn_images: The images behind the intervals; None where they were not drawn anew.
        rows: In the table's order.
        mask_differences: Differences to the baseline by the metrics that the task counts besides.
    """

    images: int
    drawn_images: DrawnImages | None
    rows: tuple[HeldOutRow, ...]
    mask_differences: tuple[MaskDifferences, ...] = ()
