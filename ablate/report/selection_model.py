"""The price of selection as a value; MIoU in percent, differences in percentage points."""

from ablate.spec import Frozen, Repeat


class SelectedEpoch(Frozen):
    """The epochs of one run, as validated at the end of each.

    Attributes:
        split: The number of the run's split.
        seed: The run's seed.
        epoch: The selected epoch, counted from 1.
        epochs: How many were trained.
        best_epoch: The (first) epoch of the highest MIoU; None if the epochs cannot be read.
        selected: MIoU of the selected epoch.
        last: MIoU of the last epoch.
        best: MIoU of the best epoch, which only a choice by MIoU itself would give.
        missing_reason: Why the epochs cannot be read, in one line; None if they can.
    """

    split: int
    seed: int
    epoch: int
    epochs: int
    best_epoch: int | None = None
    selected: float | None = None
    last: float | None = None
    best: float | None = None
    missing_reason: str | None = None

    @property
    def repeat(self) -> Repeat:
        """What it is paired by."""
        return Repeat(self.split, self.seed)

    @property
    def gain(self) -> float | None:
        """MIoU of the selected epoch minus that of the last."""
        if self.selected is None or self.last is None:
            return None
        return self.selected - self.last


class Selection(Frozen):
    """The price of selection in one row; means over the repeats whose epochs can be read.

    Attributes:
        n: How many those are.
        selected: Mean MIoU of the selected epochs; None if no run's epochs can be read.
        last: Mean MIoU of the last epochs.
        best: Mean MIoU of each run's best epoch.
        gain: Mean of selected minus last.
        gain_sd: Sample standard deviation of it over repeats; None below two.
        repeats: The runs with a result, by repeat.
    """

    n: int
    selected: float | None
    last: float | None
    best: float | None
    gain: float | None
    gain_sd: float | None
    repeats: tuple[SelectedEpoch, ...]
