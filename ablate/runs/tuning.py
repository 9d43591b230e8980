"""``tunings/ID.json``: which settings were tried for every row, and what came of them."""

from typing import Any

from pydantic import Field

from ablate.errors import StoreError
from ablate.runs.formats import Document, RecordedRun
from ablate.spec import Context, Frozen, MetricName, Sweep

# Dotted field of the protocol or the variant, such as optimizer.lr → value.
Setting = dict[str, bool | int | float | str]


class SamplerRecord(Frozen):
    """Where settings come from, completely: defaults of libraries change between versions.

    Attributes:
        name: As on the command line.
        options: All options, written out.
        seed: The seed of the sequence.
        library: The library and its version, such as ``optuna 5.0.0``.
    """

    name: str
    options: dict[str, Any]
    seed: int
    library: str


class Trial(Frozen):
    """One setting of one row, trained on the inner split.

    Attributes:
        number: Counted from 1 in each row; with a shared sequence, one number is one setting in
            all rows.
        setting: The values that differ from the row as it is declared.
        run: The run; its folder says how it ended.
    """

    number: int = Field(ge=1)
    setting: Setting
    run: RecordedRun


class TunedRow(Frozen):
    """A row with its best setting, trained anew on the sweep's own split and seeds.

    Attributes:
        row: The variant's name.
        trial: The number of the trial whose setting is used.
        setting: That trial's setting.
        runs: The runs, one for each seed.
    """

    row: str
    trial: int = Field(ge=1)
    setting: Setting
    runs: tuple[RecordedRun, ...]


class TuningRecord(Document):
    """A sweep was tuned in this store under this context.

    Attributes:
        sweep: The sweep as it was when its tuning was last started.
        context: Protocol, data and weights of the rows as they are declared: what the record of
            the sweep itself (``sweeps/ID.json``) has.
        inner: The same with the inner split, which sees training images only.
        sampler: Where the settings come from.
        space: What is tuned: dotted field → the range or the choices, as declared.
        budget: Trials of each row.
        metric: The score on the inner split that decides; the highest is the best.
        trials: All trials, by row in the table's order, then by number.
        tuned: The rows whose trials have all ended and of which one is done.
        updated: When it was last started.
    """

    sweep: Sweep
    context: Context
    inner: Context
    sampler: SamplerRecord
    space: dict[str, Any]
    budget: int = Field(ge=1)
    metric: MetricName
    trials: tuple[Trial, ...]
    tuned: tuple[TunedRow, ...] = ()
    updated: float

    @property
    def id(self) -> str:
        """The name of the sweep's record and of this one."""
        return f"{self.sweep.name}-{self.context.id}"

    @property
    def run_keys(self) -> set[str]:
        """The keys of all its runs."""
        tuned = {run.key for row in self.tuned for run in row.runs}
        return tuned | {trial.run.key for trial in self.trials}

    def trials_of(self, row: str) -> list[Trial]:
        """The trials of one row, by number."""
        return [trial for trial in self.trials if trial.run.name == row]


def joined_tunings(one: TuningRecord, other: TuningRecord) -> TuningRecord:
    """The tuning of one sweep in two stores, as one; what both have is the later start's.

    Args:
        one: The record of one store.
        other: That of the other, of the same sweep and context.

    Raises:
        StoreError: If the two were tuned differently: trials are compared by their numbers.
    """
    earlier, latest = sorted((one, other), key=lambda record: record.updated)
    for field in ("inner", "sampler", "space", "metric"):
        if getattr(earlier, field) != getattr(latest, field):
            raise StoreError(f"{one.id} was tuned with another {field}", "tune it in one store")
    trials = {(trial.run.name, trial.number): trial for trial in earlier.trials}
    for trial in latest.trials:
        place = trial.run.name, trial.number
        if (known := trials.get(place)) is not None and known.setting != trial.setting:
            raise StoreError(
                f"trial {trial.number} of {trial.run.name} in {one.id} has another setting",
                "tune it in one store",
            )
        trials[place] = trial
    rows = dict.fromkeys([*latest.sweep.variants, *(name for name, _ in trials)])
    places = {name: place for place, name in enumerate(rows)}
    order = sorted(trials, key=lambda place: (places[place[0]], place[1]))
    tuned = {row.row: row for row in (*earlier.tuned, *latest.tuned)}
    return latest.model_copy(
        update={
            "budget": max(earlier.budget, latest.budget),
            "trials": tuple(trials[place] for place in order),
            "tuned": tuple(tuned[name] for name in rows if name in tuned),
        }
    )
