"""The report as a value: its JSON form is the stable one, the other formats are views of it.

Scores are percent, differences of scores are percentage points, times are Unix seconds.
"""

from typing import Literal

from ablate.report.comparison_model import (
    BestRow,
    DrawnImages,
    MaskDifferences,
    NotReported,
    SpreadSources,
)
from ablate.report.comparison_model import Claim as Claim
from ablate.report.comparison_model import Difference as Difference
from ablate.report.comparison_model import Pair as Pair
from ablate.report.costs_model import Costs
from ablate.report.detectable_model import DetectableDifference
from ablate.report.effects import Effects
from ablate.report.elsewhere_model import Elsewhere
from ablate.report.held_out_model import HeldOut
from ablate.report.matched import MatchedParameters
from ablate.report.printed_gaps_model import PrintedGaps
from ablate.report.published import Convention, Source, StructureColumn
from ablate.report.selection_model import Selection
from ablate.report.tuning_model import TuningSummary
from ablate.runs import MicroBatch, NumberedSplit, Parameters
from ablate.spec import BackboneName, Cell, Context, Frozen, MetricName, Precision, Repeat

# Why a run has no number. ``changed since it was run``: its variant is not that of the other
# repeats of its row; ``unreadable``: its files cannot be read or contradict its folder.
MissingReason = Literal[
    "not run",
    "running",
    "interrupted",
    "failed",
    "diverged",
    "changed since it was run",
    "unreadable",
    "not tuned",
    "trials not ended",
    "no trial is done",
]


class RepeatState(Frozen):
    """One run of a row.

    Attributes:
        split: The number of the run's split; 0 is the protocol's own.
        seed: The run's seed.
        key: The run's key; None if it was never planned.
        state: ``done``, or why there is no number.
        cause: What failed or cannot be read, in one line; None if nothing did.
        predicts_no_positives: Whether it predicts the positive class nowhere, so that the
            precision of that class is 0/0, taken as 0; None without a result.
        has_no_positives: Whether no pixel of its validation images is positive, so that recall
            and, where none is predicted, IoU of that class are 0/0, taken as 0.
        micro_batches: Where memory was too short for a whole batch at once.
    """

    split: int
    seed: int
    key: str | None
    state: Literal["done"] | MissingReason
    cause: str | None
    predicts_no_positives: bool | None
    has_no_positives: bool = False
    micro_batches: tuple[MicroBatch, ...] = ()

    @property
    def repeat(self) -> Repeat:
        """What it is paired by."""
        return Repeat(self.split, self.seed)


class Verdict(Frozen):
    """Whether a published value was reproduced; percentage points.

    Attributes:
        is_reproduced: Whether it lies within the tolerance around the mean.
        tolerance: Fixed for one repeat; for several, half of the 95 % prediction interval of one
            more training.
        difference: Mean minus published.
    """

    is_reproduced: bool
    tolerance: float
    difference: float


class RepeatScore(Frozen):
    """A metric of one run."""

    split: int
    seed: int
    value: float


class Score(Frozen):
    """One metric of one row.

    Attributes:
        n: Number of repeats with a result.
        mean: Over those repeats; None if there are none.
        sd: Sample standard deviation; None below two repeats.
        per_repeat: By split and seed.
        published: The paper's value; None where it gives none.
        printed: The same, with the decimals that the paper prints.
        difference: mean minus published.
        verdict: Whether the published value was reproduced; None where one of the two is
            missing, and in reports that are not comparable.
    """

    n: int
    mean: float | None
    sd: float | None
    per_repeat: tuple[RepeatScore, ...]
    published: float | None
    printed: str | None
    difference: float | None
    verdict: Verdict | None


class Row(Frozen):
    """One row of the table.

    Attributes:
        name: The variant's name.
        label: What tables print.
        system: What kind of model it is; None for a row that was never planned and of which no
            more than the name is known.
        is_trained: Whether it is trained; what is only evaluated has one result for all
            seeds of a split.
        structure: What sets it apart from other rows, by column of ``variant.columns()``.
        is_changed: Whether the variant is declared otherwise today: the numbers are those of the
            variant as it was run.
        repeats: The row's runs.
        missing_reason: Why the row has no reproduced value; None if it has.
        published_missing_reason: Why the row has no published value; None if it has, or if the
            report has no published values at all.
        scores: By metric.
        delta: MIoU minus the baseline's; None for the baseline and where there is none.
        selection: What the selection of an epoch adds to MIoU; None where nothing was trained.
    """

    name: str
    label: str
    system: Literal["sam", "cnn", "sam-zero-shot"] | None
    is_trained: bool
    structure: dict[str, Cell]
    is_changed: bool
    repeats: tuple[RepeatState, ...]
    missing_reason: MissingReason | None
    published_missing_reason: NotReported | None
    scores: dict[MetricName, Score]
    delta: Difference | None
    selection: Selection | None = None


class Count(Frozen):
    """A number of parameters.

    Attributes:
        printed: In millions, as the paper prints it.
        counted: What the model has; None if it was not counted.
        rounded: The same in millions, with as many decimals as the printed one.
    """

    printed: str
    counted: int | None
    rounded: str | None


class Interpretation(Frozen):
    """What one interpretation of a printed row of parameters counts.

    Attributes:
        system: The name of the printed row.
        label: The paper's name of the model.
        variant: The variant that was counted.
        variant_label: The variant's label.
        backbone: The SAM that it was counted on; None for a model without SAM.
        total: All parameters.
        trainable: Those that are trained.
        note: Why they do or do not round to the printed ones.
    """

    system: str
    label: str
    variant: str
    variant_label: str
    backbone: BackboneName | None
    total: Count
    trainable: Count
    note: str


class CountedParameters(Frozen):
    """The published table of parameters, each row beside every interpretation of it."""

    source: Source
    interpretations: tuple[Interpretation, ...]


class RankAgreement(Frozen):
    """How far the rows are in the published order.

    Attributes:
        metric: What orders them.
        tau_b: Kendall's τ-b, -1 to 1; None without two rows that differ.
        rows: Rows that have both a reproduced and a published value.
        pairs: Pairs of these rows.
    """

    metric: Literal["miou"]
    tau_b: float | None
    rows: int
    pairs: int


class ShareRange(Frozen):
    """From where to where a share may lie; percent."""

    low: float
    high: float


class PositiveShare(Frozen):
    """Pixels of the positive class among all validation pixels; percent.

    Attributes:
        validated: Of the first run with a result: rows share the images of a split; None without
            one.
        published: What the rounding of the published rows leaves; None without them, or if they
            have no share in common.
    """

    validated: float | None
    published: ShareRange | None


class PublishedValues(Frozen):
    """Where the published values come from, and how to read them."""

    source: Source
    data: str
    convention: Convention
    rounding: str


class RunProvenance(Frozen):
    """Where the numbers of one run come from; see ablate.runs.formats for the fields.

    ``epochs`` is 0 where nothing was trained.
    """

    name: str
    label: str
    split: int
    seed: int
    key: str
    epoch: int
    epochs: int
    steps: int
    parameters: Parameters
    weights_sha256: str
    ablate: str
    commit: str | None
    device: str
    device_name: str
    threads: int
    precision: Precision
    versions: dict[str, str]
    created: float
    finished: float
    train_s: float


class CheckedData(Frozen):
    """The outcome of ``ablate data check`` on the data and split of the table.

    Attributes:
        checked: When it was checked.
        counts: The numbers of images, problems and notes, in words.
        problems: One line each.
        notes: One line each.
    """

    checked: float
    counts: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]


class ReportProvenance(Frozen):
    """What the table was made from: all that two equal sweeps may differ in.

    Attributes:
        context: Protocol, data and weights of every run on the protocol's own split, and the engine
            that computed them.
        numbered: What the other splits are; all else is as in ``context``.
        data_check: What a check of the data found; None if it was not checked, as generated data
            never is.
        runs: The runs with a result, in the order of the table.
        notes: What a reader should know before comparing rows.
    """

    context: Context
    numbered: tuple[NumberedSplit, ...] = ()
    data_check: CheckedData | None = None
    runs: tuple[RunProvenance, ...]
    notes: tuple[str, ...]


class Report(Frozen):
    """A sweep's table and all that belongs to it.

    Attributes:
        schema_version: The form of this value.
        sweep: The sweep's name.
        title: The table's heading.
        watermark: What everything made from these runs carries; None if comparable.
        unit: Of all scores.
        baseline: The row that every delta is taken to.
        published: Where the published values come from; None if there are none.
        structure: The columns that show what a row is, by column of ``variant.columns()``.
        metrics: The headings of the columns of scores, by metric, in order.
        rows: In the table's order.
        rank: Agreement with the published order; None without published values.
        positive_share: Share of positive pixels in this data set and in the published one.
        drawn_images: The validation images behind the intervals; None without a result.
        mask_differences: Differences to the baseline by the metrics that the task counts besides.
        best: The row with the highest MIoU; None with fewer than two rows that have a result.
        spread: Where the spread of MIoU comes from; None where nothing was repeated.
        claims: The paper's sentences.
        parameters: Published and counted parameters; None without a published table of them.
        effects: What the sweep's factors do to MIoU; None without factors, or without results.
        tuning: The rows with their best settings; None for a sweep that was never tuned.
        costs: What all of it has cost; None in reports of older versions.
        matched: The rows that were given the number of parameters of another variant.
        held_out: The scores on the test part; None where no run has one.
        elsewhere: The scores on data sets that the rows were not trained on; None where no run was
            scored on any.
        detectable: The smallest differences that the validation images can tell of the rows that
            the sweep compares; empty where no run has confusions of single images.
        printed_gaps: How sure the published differences of those rows are; None without published
            values, or on images that are not of the published data set.
        provenance: Where the numbers come from.
    """

    schema_version: Literal[3] = 3
    sweep: str
    title: str
    watermark: str | None
    unit: Literal["percent"]
    baseline: str | None
    published: PublishedValues | None
    structure: dict[str, StructureColumn]
    metrics: dict[MetricName, str]
    rows: tuple[Row, ...]
    rank: RankAgreement | None
    positive_share: PositiveShare
    drawn_images: DrawnImages | None = None
    mask_differences: tuple[MaskDifferences, ...] = ()
    best: BestRow | None = None
    spread: SpreadSources | None = None
    claims: tuple[Claim, ...]
    parameters: CountedParameters | None
    effects: Effects | None = None
    tuning: TuningSummary | None = None
    costs: Costs | None = None
    matched: tuple[MatchedParameters, ...] = ()
    held_out: HeldOut | None = None
    elsewhere: Elsewhere | None = None
    detectable: tuple[DetectableDifference, ...] = ()
    printed_gaps: PrintedGaps | None = None
    provenance: ReportProvenance

    @property
    def positive_class(self) -> str:
        """The name of the class that is segmented."""
        return self.provenance.context.protocol.task.positive_class
