"""What is segmented, and the names of the scores that say how well."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from ablate.spec.frozen import Frozen

# ``precision`` and ``recall`` are means over the positive class and the background, ``f1`` is their
# harmonic mean (the convention behind every row of the paper's tables); ``positive_*`` are scores
# of the positive class alone (the paper's Eqs. 16-18).
MetricName = Literal[
    "precision",
    "recall",
    "f1",
    "overall_accuracy",
    "miou",
    "positive_iou",
    "positive_precision",
    "positive_recall",
    "positive_f1",
]
METRIC_NAMES: tuple[MetricName, ...] = get_args(MetricName)


class Task(Frozen):
    """Segmentation of one class against the background.

    Attributes:
        positive_class: Its name, as tables, figures and messages print it.
        threshold: A pixel is positive where its probability is above this.
        metrics: The columns of a table of scores, in order; a published table that stands beside
            it declares its own.
    """

    positive_class: str = Field(min_length=1)
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    metrics: tuple[MetricName, ...] = Field(
        default=("precision", "recall", "f1", "overall_accuracy", "miou", "positive_iou"),
        min_length=1,
    )

    @field_validator("metrics")
    @classmethod
    def _metrics_are_unique(cls, metrics: tuple[MetricName, ...]) -> tuple[MetricName, ...]:
        duplicates = dict.fromkeys(name for name in metrics if metrics.count(name) > 1)
        if duplicates:
            raise ValueError(f"metrics lists {', '.join(duplicates)} twice; list each once")
        return metrics
