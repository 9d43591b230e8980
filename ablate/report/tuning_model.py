"""What tuning the rows of a sweep gave, as a value.

Scores are percent, differences of scores are percentage points.
"""

from typing import Any

from ablate.report.comparison_model import Difference, Pair
from ablate.runs import SamplerRecord, Setting
from ablate.spec import Frozen, MetricName


class MeanScore(Frozen):
    """MIoU over repeats.

    Attributes:
        n: Number of repeats.
        mean: Over those repeats; None if there are none.
        sd: Sample standard deviation; None below two repeats.
    """

    n: int
    mean: float | None
    sd: float | None


class DefaultAndTuned(Frozen):
    """MIoU of one row before and after tuning, at one epoch of each run.

    Attributes:
        default: With the setting that the row is declared with.
        tuned: With its best setting.
        difference: Tuned minus default, paired by repeat.
    """

    default: MeanScore
    tuned: MeanScore
    difference: Difference


class ChosenSetting(Frozen):
    """The setting that a row was trained anew with.

    Attributes:
        trial: The number of its trial.
        setting: The values that differ from the row as it is declared, by dotted field.
        score: Its score on the inner split; None if that trial's result cannot be read.
    """

    trial: int
    setting: Setting
    score: float | None


class TrialCounts(Frozen):
    """How the trials of one row ended, and what they took.

    Attributes:
        done: With a score.
        failed: By an error, or because the process died.
        diverged: The loss was not finite.
        open: Under way, interrupted or not begun.
        unreadable: The files of the trial cannot be read.
        device_s: Seconds of training and validation of the trials that are done.
        causes: What failed or cannot be read, by the number of the trial.
    """

    done: int
    failed: int
    diverged: int
    open: int
    unreadable: int
    device_s: float
    causes: dict[int, str]

    @property
    def total(self) -> int:
        """All of them; 0 for a row that was never tuned."""
        return self.done + self.failed + self.diverged + self.open + self.unreadable

    @property
    def is_device_s_whole(self) -> bool:
        """Whether no trial took time that its files do not tell."""
        return self.total == self.done


class SettingDifference(Frozen):
    """The inner score of one row minus the baseline's, paired by setting.

    Attributes:
        n: Settings that both rows have a score for.
        mean: Over those settings; None if there are none.
        sd: Sample standard deviation; None below two.
        low: Lower end of the 95 % interval (Student's t) of the mean; None below two.
        high: Upper end of it.
    """

    n: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


class RowTuning(Frozen):
    """One row of the sweep.

    Attributes:
        name: The variant's name.
        label: What tables print.
        is_trained: Whether there is anything to tune.
        chosen: The setting it was trained anew with; None if there is none yet.
        missing_reason: Why there is no tuned score; None if there is one.
        default_missing_reason: Why there is no score of the default; None if there is one.
        trials: How its trials ended.
        selected: MIoU of the selected epochs.
        last: MIoU of the last epochs, which no choice has seen.
        best_of_k: Expected best inner score of k trials, for k = 1 to the number of those that
            ended; a trial that failed or diverged counts as 0.
        by_setting: Difference to the baseline; None for the baseline itself and where the rows
            have no setting in common.
    """

    name: str
    label: str
    is_trained: bool
    chosen: ChosenSetting | None
    missing_reason: str | None
    default_missing_reason: str | None
    trials: TrialCounts
    selected: DefaultAndTuned
    last: DefaultAndTuned
    best_of_k: tuple[float, ...]
    by_setting: SettingDifference | None


class OrderChange(Frozen):
    """One row overtakes another as the number of trials grows.

    Attributes:
        k: From this number of trials on.
        ahead: The label of the row that overtakes.
        behind: The label of the row that is overtaken.
    """

    k: int
    ahead: str
    behind: str


class TunedClaim(Frozen):
    """A claim of the sweep on the defaults and on the tuned rows.

    Attributes:
        claim: The sentence.
        default: The verdict on the defaults.
        tuned: The verdict on the tuned rows.
        is_changed: Whether tuning changes the verdict; None while a result is missing.
        pairs: What it compares, tuned.
    """

    claim: str
    default: str
    tuned: str
    is_changed: bool | None
    pairs: tuple[Pair, ...]


class TuningSummary(Frozen):
    """A sweep's tuning.

    Attributes:
        sampler: Where the settings come from.
        space: What is tuned: dotted field → the range or the choices, as declared.
        budget: Trials of each row.
        metric: The score on the inner split that decides.
        train: Training images of the inner split.
        validation: Validation images of the inner split.
        rows: In the table's order.
        order_changes: Where the expected best of k changes the order of two rows, by k.
        claims: The sweep's claims.
    """

    sampler: SamplerRecord
    space: dict[str, Any]
    budget: int
    metric: MetricName
    train: int
    validation: int
    rows: tuple[RowTuning, ...]
    order_changes: tuple[OrderChange, ...]
    claims: tuple[TunedClaim, ...]
