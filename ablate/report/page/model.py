"""The values of a page that are not in the report."""

from ablate.spec import Frozen


class Band(Frozen):
    """A value by epoch over the runs of a row; None where no run has it.

    Attributes:
        mean: Over the runs that have the epoch.
        low: The lowest of them.
        high: The highest of them.
    """

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


class Curve(Frozen):
    """The learning curves of one row.

    Attributes:
        row: The variant's name.
        n: How many runs have epochs.
        epochs: Which epochs the values are of, counted from 1.
        val_loss: Validation loss.
        miou: Validation MIoU in percent.
    """

    row: str
    n: int
    epochs: tuple[int, ...]
    val_loss: Band
    miou: Band


class Picture(Frozen):
    """One validation image and what the rows predict on it, as data URIs of PNG files.

    Attributes:
        name: The name of the panel's file without its ending.
        image: What the models see.
        ground_truth: White where the positive class is.
        predictions: By row; everything but true positives, false positives and false negatives
            is transparent.
    """

    name: str
    image: str
    ground_truth: str
    predictions: dict[str, str]


class PageData(Frozen):
    """Learning curves and panels, with what was left out of them in words.

    Attributes:
        curves: By row, in the order of the table.
        curve_notes: How they were made and what they lack.
        pictures: By name.
        picture_notes: Which pictures are shown and which are not.
    """

    curves: tuple[Curve, ...] = ()
    curve_notes: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    picture_notes: tuple[str, ...] = ()
