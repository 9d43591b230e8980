"""The smallest differences that the validation images can tell, as a value; percentage points."""

from ablate.spec import Frozen


class DetectableDifference(Frozen):
    """What the validation images can tell of two rows: at 95 %, with 80 % power.

    A unit is a seed, or, where there are several splits, a split with its seeds.

    Attributes:
        first: The label of one row.
        second: The label of the other.
        images: Validation images of a repeat; None where nothing was measured.
        units: How many units both rows have.
        congruence: Correlation of the two rows' MIoU over images that are drawn anew; None where
            one of them does not vary.
        one_training: The smallest difference of one training of each row, as far as images go.
        now: The smallest difference of the mean over the units there are; None with one unit,
            which tells nothing of what a training does.
        unlimited: The smallest difference of the mean over infinitely many units: what the images
            alone leave. 0 where the units have nothing in common that could be seen; None with one
            unit.
        missing_reason: Why nothing was measured; None if it was.
    """

    first: str
    second: str
    images: int | None = None
    units: int = 0
    congruence: float | None = None
    one_training: float | None = None
    now: float | None = None
    unlimited: float | None = None
    missing_reason: str | None = None
