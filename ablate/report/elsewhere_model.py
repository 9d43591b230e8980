"""Rows on data sets that they were not trained on, as values; percent, and percentage points."""

from ablate.report.held_out_model import HeldOut
from ablate.spec import Frozen, MetricName


class OtherData(Frozen):
    """One data set.

    Attributes:
        label: What tables call it.
        digest: SHA-256 over its images, and over how they are read.
        scores: All rows on all of its images.
    """

    label: str
    digest: str
    scores: HeldOut


class Elsewhere(Frozen):
    """The scores of trained rows on other data sets, beside those on their own.

    Attributes:
        title: The sweep's title, or the run that is meant.
        watermark: The sentence that these numbers carry; None if they are comparable.
        baseline: The row that others are compared with; None: there is none.
        metrics: The metrics that are shown, with their headings.
        own_label: What tables call the data set that the rows were trained on.
        own: The rows on the validation images of their own runs.
        data: The other data sets, in the order in which they were named.
        notes: What a reader should know.
    """

    title: str
    watermark: str | None
    baseline: str | None
    metrics: dict[MetricName, str]
    own_label: str
    own: HeldOut
    data: tuple[OtherData, ...]
    notes: tuple[str, ...] = ()
