"""How far a metric depends on which images it was validated on: images are drawn anew.

The draw is the Bayesian bootstrap (Rubin 1981, The Annals of Statistics 9, 130-134): every image
gets a weight from the exponential distribution of mean 1, the pixels of all images are pooled with
these weights, and MIoU is that of the pooled pixels. A weight belongs to the image: all runs that
were validated on an image see the same weight of it in the same draw, so differences between rows
are paired by image, and repeats on one split, or on splits that share images, vary together. No
weight is 0, so no draw lacks the positive class.

The metrics of masks are quotients of sums over images too, and are drawn likewise. An image that
adds nothing to the divisor, as one without small objects, tells nothing of them: it is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ablate.report.comparison_model import DrawnImages
from ablate.report.results import RunRecord
from ablate.runs import Confusions
from ablate.runs.cells import MaskCount
from ablate.spec import MaskMetricName

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DrawnMetric = Literal["miou", MaskMetricName]

QUOTIENTS: dict[DrawnMetric, tuple[MaskCount, MaskCount]] = {
    "boundary_iou": ("boundary_both", "boundary_any"),
    "small_object_recall": ("small_found", "small_all"),
}
"""The counts that a metric of masks is the quotient of, dividend first."""

MOST_DRAWS = 10_000
"""So many times images are drawn, unless that would take long."""

# The draws of one report are the same every time it is made.
_SEED = 13
# More rows than a table of a paper has. What is kept of a run are MOST_DRAWS numbers.
_MOST_RUNS = 500
# Images times runs.
_MOST_IMAGES = 2_000_000
# Images times runs times draws: about a second.
_MOST_PRODUCTS = 300_000_000
# Weights held at once.
_MOST_WEIGHTS = 4_000_000


@dataclass(frozen=True, eq=False)
class ImageDraws:
    """A metric of runs over images that were drawn anew, B times.

    Attributes:
        metric: Which.
        draws: How often, B.
        confusions: The pixels of every validation image, by run key.
        images: How many images count for the metric, by run key.
        left_out: Number of runs with a result whose images were not drawn, since there are so
            many runs or images.
        deviations: By run key, shape B: the metric in a draw minus its mean over the draws, in
            percentage points. They are scaled so that their variance estimates that of the metric
            over samples of as many images, see ``_scaled``.
    """

    metric: DrawnMetric
    draws: int
    confusions: Mapping[str, Confusions]
    images: Mapping[str, int]
    left_out: int
    deviations: Mapping[str, npt.NDArray[np.float64]]

    def drawn_images(self) -> DrawnImages | None:
        """How many images there are; None without a run."""
        if not self.confusions:
            return None
        every = self.confusions.values()
        return DrawnImages(
            images=min(self.images.values()),
            with_positives=min(int((each.tp + each.fn > 0).sum()) for each in every),
            draws=self.draws,
            runs_drawn=len(self.confusions),
            runs_left_out=self.left_out,
        )


def draw_images(runs: Iterable[RunRecord], metric: DrawnMetric = "miou") -> ImageDraws:
    """Draws the images of runs anew, equally each time.

    Args:
        runs: Those with a result and at least two images that tell of the metric count; where there
            are too many, the first ones.
        metric: What is computed of the images.
    """
    confusions: dict[str, Confusions] = {}
    counted: dict[str, int] = {}
    images = left_out = 0
    for run in runs:
        if run.finished is None or run.run.key in confusions:
            continue
        own = run.finished.confusions
        if len(confusions) >= _MOST_RUNS or images >= _MOST_IMAGES:
            left_out += 1
        elif (of_metric := _counted(own, metric)) > 1:
            confusions[run.run.key] = own
            counted[run.run.key] = of_metric
            images += len(own.names)
    draws = max(500, min(MOST_DRAWS, _MOST_PRODUCTS // max(1, images)))
    deviations = deviations_of(confusions, draws, metric)
    return ImageDraws(metric, draws, confusions, counted, left_out, deviations)


def _counted(confusions: Confusions, metric: DrawnMetric) -> int:
    """How many images tell of a metric."""
    if metric not in QUOTIENTS:
        return len(confusions.names)
    divisor = confusions.of_masks.get(QUOTIENTS[metric][1])
    return 0 if divisor is None else int((divisor > 0).sum())


def _counts(confusions: Confusions, metric: DrawnMetric) -> npt.NDArray[np.int64]:
    """What a metric is computed from, of each image; shape NxC."""
    import numpy as np

    if metric not in QUOTIENTS:
        return confusions.counts
    return np.stack([confusions.of_masks[name] for name in QUOTIENTS[metric]], axis=1)


def deviations_of(
    confusions: Mapping[str, Confusions], draws: int, metric: DrawnMetric = "miou"
) -> dict[str, npt.NDArray[np.float64]]:
    """How a metric deviates from its mean over draws of images, see ``ImageDraws.deviations``.

    Args:
        confusions: By run key; at least two images each that tell of the metric.
        draws: How often images are drawn, B.
        metric: What is computed of the images.
    """
    if not confusions:
        return {}
    import numpy as np

    # Runs of one split have the same images, so that one product pools all of them.
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, each in confusions.items():
        groups.setdefault(each.names, []).append(key)
    places = {name: place for place, name in enumerate(sorted({n for g in groups for n in g}))}
    columns = [np.array([places[name] for name in names]) for names in groups]
    counts = [
        np.concatenate([_counts(confusions[key], metric) for key in keys], axis=1).astype(float)
        for keys in groups.values()
    ]
    random = np.random.default_rng(_SEED)
    block = max(1, _MOST_WEIGHTS // len(places))
    parts: dict[str, list[npt.NDArray[np.float64]]] = {key: [] for key in confusions}
    for first in range(0, draws, block):
        weights = random.standard_exponential((min(block, draws - first), len(places)))
        for keys, column, pixels in zip(groups.values(), columns, counts, strict=True):
            pooled = (weights[:, column] @ pixels).reshape(len(weights), len(keys), -1)
            found = miou_percent(pooled) if metric == "miou" else quotient_percent(pooled)
            for number, key in enumerate(keys):
                parts[key].append(found[:, number])
    return {
        key: _scaled(np.concatenate(each), _counted(confusions[key], metric))
        for key, each in parts.items()
    }


def miou_percent(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """MIoU of pooled pixels, as ``ablate.metrics.scores`` defines it.

    Args:
        pixels: Shape ...x4: tp, fp, fn and tn.

    Returns:
        Shape ...; percent, with 0 for 0/0.
    """
    import numpy as np

    tp, fp, fn, tn = np.moveaxis(pixels, -1, 0)
    wrong = fp + fn
    ious = [
        np.divide(right, right + wrong, out=np.zeros_like(right), where=right + wrong > 0)
        for right in (tp, tn)
    ]
    mious: npt.NDArray[np.float64] = 50 * (ious[0] + ious[1])
    return mious


def quotient_percent(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A metric of masks of pooled counts, as ``ablate.metrics.scores`` defines it.

    Args:
        counts: Shape ...x2: dividend and divisor.

    Returns:
        Shape ...; percent, with 0 for 0/0.
    """
    import numpy as np

    part, whole = np.moveaxis(counts, -1, 0)
    quotients: npt.NDArray[np.float64] = 100 * np.divide(
        part, whole, out=np.zeros_like(part), where=whole > 0
    )
    return quotients


def _scaled(values: npt.NDArray[np.float64], images: int) -> npt.NDArray[np.float64]:
    """The deviations from the mean, made as wide as those of samples of N images.

    Under the weights the variance of a mean is Σ(x - x̄)² / (N (N + 1)), while that of a mean over
    N images is estimated without bias by Σ(x - x̄)² / (N (N - 1)).
    """
    wider: float = ((images + 1) / (images - 1)) ** 0.5
    deviations: npt.NDArray[np.float64] = wider * (values - values.mean())
    return deviations


def covariance(
    deviations: Sequence[npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    """How values vary together over the draws.

    Args:
        deviations: n arrays of shape B.

    Returns:
        Shape nxn.
    """
    import numpy as np

    stacked = np.stack(deviations)
    products: npt.NDArray[np.float64] = stacked @ stacked.T / (stacked.shape[1] - 1)
    return products
