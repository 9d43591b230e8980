"""What becomes a parent run in MLflow: a sweep, or the tuning of one. Imports no mlflow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.runs import RecordedRun, SpecFile, Store, SweepRecord, TuningRecord
from ablate.spec import RunSpec
from ablate.tracking import mapping


@dataclass(frozen=True)
class Group:
    """A parent run and its nested runs.

    Attributes:
        record: The sweep; of a tuning, a sweep of its own whose runs are the trials and the runs of
            the best settings.
        roles: What a run of a tuning is, by its key: ``trial 3`` or ``tuned``.
        settings: Its setting, by its key.
    """

    record: SweepRecord
    roles: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What tells it from all others of its store."""
        return self.record.id

    def spec(self, run: RecordedRun, folder: SpecFile) -> RunSpec:
        """What a run is."""
        if run.key in self.roles:
            # Each setting is a protocol of its own.
            return folder.run
        # As this sweep has it: what is only evaluated is shared by sweeps of several protocols.
        return self.record.run_spec(run)

    def run_name(self, spec: RunSpec, key: str) -> str:
        """The name of a nested run."""
        role = self.roles.get(key)
        if role is None:
            return mapping.run_name(spec, self.record.seeds, splits=self.record.splits)
        return mapping.run_name(spec, self.record.seeds if role == "tuned" else (), role)

    def params(self, spec: RunSpec, key: str) -> dict[str, str]:
        """The params of a nested run."""
        setting = self.settings.get(key, {})
        return mapping.params(spec) | mapping.tuning_params(self.roles.get(key), setting)


def group_id(tuning: TuningRecord) -> str:
    """The ``id`` of a tuning's group, before any of its runs is there."""
    return _as_sweep(tuning, ()).id


def tuning_group(tuning: TuningRecord) -> Group:
    """The trials of a tuning and the runs of the best settings. A run that is both is a trial."""
    roles: dict[str, str] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    runs: dict[str, RecordedRun] = {}
    for trial in tuning.trials:
        if trial.run.key not in runs:
            runs[trial.run.key] = trial.run
            roles[trial.run.key] = f"trial {trial.number}"
            settings[trial.run.key] = trial.setting
    for row in tuning.tuned:
        for run in row.runs:
            if run.key not in runs:
                runs[run.key], roles[run.key] = run, "tuned"
                settings[run.key] = row.setting
    return Group(_as_sweep(tuning, runs.values()), roles, settings)


def _as_sweep(tuning: TuningRecord, runs: Iterable[RecordedRun]) -> SweepRecord:
    listed = tuple(runs)
    name = f"{tuning.sweep.name} (tuning)"
    return SweepRecord(
        sweep=tuning.sweep.model_copy(update={"name": name}),
        context=tuning.inner,
        runs=listed,
        seeds=tuple(sorted({run.seed for run in listed})),
        updated=tuning.updated,
    )


def as_group(record: SweepRecord | TuningRecord) -> Group:
    """What a record becomes in MLflow."""
    return tuning_group(record) if isinstance(record, TuningRecord) else Group(record)


def groups_of(store: Store, problems: list[str] | None = None) -> list[Group]:
    """Every sweep and every tuning of a store.

    Args:
        store: The store.
        problems: Takes one line for each record that cannot be read; None: such a record is an
            error.

    Raises:
        StoreError: If a record cannot be read, unless ``problems`` takes it.
    """
    sweeps = [as_group(record) for record in store.sweep_records(problems=problems)]
    return sweeps + [as_group(record) for record in store.tunings(problems)]
