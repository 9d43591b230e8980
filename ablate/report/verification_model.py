"""What came of recomputing the numbers of a sweep, as a value."""

from typing import Literal

from ablate.spec import Frozen

Value = bool | int | float | str | None


class Disagreement(Frozen):
    """A stored value that is not what the raw files give.

    Attributes:
        row: The label of the run's row; None for what belongs to no run.
        split: The number of the run's split; None for what belongs to no run.
        seed: The run's seed; None for what belongs to no run.
        key: The run's key; None for what belongs to no run.
        what: The value's place in the file, such as ``metrics.miou``.
        stored: What the file says; None where it says nothing.
        recomputed: What the raw files give; None where that cannot be computed.
        file: The file that says it, from the folder that was checked.
        note: Why nothing can be computed; None where something is.
    """

    row: str | None
    split: int | None
    seed: int | None
    key: str | None
    what: str
    stored: Value
    recomputed: Value
    file: str
    note: str | None = None


class ReportDifference(Frozen):
    """A value of a report that is another one when the report is built anew.

    Attributes:
        file: The report's file in a bundle; None for the report of a store, which is built from
            the stored values and from the recomputed ones.
        place: The value's place in the report.
        stored: The value as it is stored, or built from stored values.
        recomputed: The value of the report that is built from recomputed values.
    """

    file: str | None
    place: str
    stored: Value
    recomputed: Value


class Verification(Frozen):
    """What was checked of a sweep, and everything that differs.

    Attributes:
        subject: The store or the bundle.
        sweep: The sweep's name.
        id: The name of the sweep's record.
        state: Whether everything that was checked agrees.
        runs: Runs with a result, all of which were checked, those of a tuning included.
        runs_without_result: Runs that have none, of which there is nothing to check.
        values: Values that were compared.
        weights: Runs whose weights were compared with their digest.
        weights_absent: Runs whose weights are not there.
        files: Files of a bundle whose digests were compared; None for a store.
        written_by: The version of ablate that wrote a bundle; None for a store.
        disagreements: Stored values that are not what the raw files give.
        report_values: Values of the report that were compared.
        report_differences: Those that differ.
    """

    subject: str
    sweep: str
    id: str
    state: Literal["agrees", "differs"]
    runs: int
    runs_without_result: int
    values: int
    weights: int
    weights_absent: int
    files: int | None = None
    written_by: str | None = None
    disagreements: tuple[Disagreement, ...]
    report_values: int
    report_differences: tuple[ReportDifference, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything that was checked agrees."""
        return self.state == "agrees"
