"""How sure published differences are, as a value; MIoU in percentage points."""

from ablate.spec import Frozen


class Sureness(Frozen):
    """What one standard error makes of a published difference.

    Attributes:
        se: The standard error of the difference.
        other_sign: The probability that the truth has the other sign, under a flat prior; 0 to 0.5.
        smallest: The smallest difference that is told from zero at 95 % with 80 % power.
    """

    se: float
    other_sign: float
    smallest: float


class PrintedGap(Frozen):
    """A difference of two published MIoUs, each of one training, and how sure it is.

    Attributes:
        first: The label of one row.
        second: The label of the other.
        printed: MIoU of the first minus that of the second, as printed.
        congruence: Of the two rows, measured on their runs; None where it was not.
        images: Over images only, with that congruence; None where nothing was measured.
        independent: Over images only, as if the two rows had congruence 0.
        training: Over images and trainings; None with one repeat, which tells nothing of
            trainings.
        missing_reason: Why nothing was measured; None if it was.
    """

    first: str
    second: str
    printed: float
    congruence: float | None = None
    images: Sureness | None = None
    independent: Sureness | None = None
    training: Sureness | None = None
    missing_reason: str | None = None


class PrintedGaps(Frozen):
    """All published differences that the sweep compares.

    Attributes:
        images: The validation images behind the published values.
        gaps: In the order of the claims, then of the table.
    """

    images: int
    gaps: tuple[PrintedGap, ...]
