"""What is segmented, and the names of the scores that say how well."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from ablate.spec.frozen import Frozen

# ``precision`` and ``recall`` are means over the positive class and the background, ``f1`` is their
# harmonic mean (the convention behind every row of the paper's tables); ``positive_*`` are scores
# of the positive class alone (the paper's Eqs. 16-18).
PixelMetricName = Literal[
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
METRIC_NAMES: tuple[PixelMetricName, ...] = get_args(PixelMetricName)
"""Those that every result has: they are computed from pixels that are right or wrong."""

# What pixels alone do not tell: it is counted where the task's metrics name it.
MaskMetricName = Literal["boundary_iou", "small_object_recall"]
MASK_METRIC_NAMES: tuple[MaskMetricName, ...] = get_args(MaskMetricName)

MetricName = Literal[PixelMetricName, MaskMetricName]


class Task(Frozen):
    """Segmentation of one class against the background.

    Attributes:
        positive_class: Its name, as tables, figures and messages print it.
        threshold: A pixel is positive where its probability is above this.
        metrics: The columns of a table of scores, in order; a published table that stands beside
            it declares its own, and ``boundary_iou`` and ``small_object_recall`` come behind those.
            These two are counted only where they are named here; then they are part of a run's key.
        boundary_width: How far from its outline, inwards, a region's boundary reaches for
            ``boundary_iou``, as a share of the diagonal of the model's square.
        small_object_px: For ``small_object_recall``, a connected region of the ground truth is a
            small object where it has fewer pixels of the model's square. The default is COCO's.
        small_object_share: A small object is found where at least this share of its pixels is
            predicted as positive.
    """

    positive_class: str = Field(min_length=1)
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    metrics: tuple[MetricName, ...] = Field(
        default=("precision", "recall", "f1", "overall_accuracy", "miou", "positive_iou"),
        min_length=1,
    )
    boundary_width: Annotated[float, Field(gt=0, lt=1)] = 0.02
    small_object_px: int = Field(default=32**2, ge=2, le=2**24)
    small_object_share: Annotated[float, Field(gt=0, le=1)] = 0.5

    @property
    def mask_metrics(self) -> tuple[MaskMetricName, ...]:
        """Those of its metrics that are counted only where they are named."""
        return tuple(name for name in MASK_METRIC_NAMES if name in self.metrics)

    def counted(self) -> dict[str, Any]:
        """What is counted besides right and wrong pixels; empty where nothing is."""
        found: dict[str, Any] = {}
        if "boundary_iou" in self.metrics:
            found["boundary_iou"] = {"width": self.boundary_width}
        if "small_object_recall" in self.metrics:
            found["small_object_recall"] = {
                "px": self.small_object_px,
                "share": self.small_object_share,
            }
        return found

    def counting(self) -> dict[str, Any]:
        """What decides the counts of an image besides its masks."""
        return {"threshold": self.threshold} | self.counted()

    @field_validator("metrics")
    @classmethod
    def _metrics_are_unique(cls, metrics: tuple[MetricName, ...]) -> tuple[MetricName, ...]:
        duplicates = dict.fromkeys(name for name in metrics if metrics.count(name) > 1)
        if duplicates:
            raise ValueError(f"metrics lists {', '.join(duplicates)} twice; list each once")
        return metrics
