"""A tuning on disk: trials and tuned runs that end as a test says, beside a sweep's own runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ablate.report import Report
from ablate.report.tuning_model import RowTuning, TuningSummary
from ablate.runs import (
    RecordedRun,
    RunFolder,
    SamplerRecord,
    Setting,
    Trial,
    TunedRow,
    TuningRecord,
)
from ablate.spec import Comparison
from report.sweep_on_disk import SweepOnDisk

LR = "optimizer.lr"
A, B = "translandseg-1", "translandseg"
RATES = (1e-4, 1e-3, 1e-2)
CLAIM = Comparison(claim="B is ahead of A", better=B, worse=(A,))
SAMPLER = SamplerRecord(
    name="quasi-random",
    options={"qmc_type": "sobol", "scramble": True},
    seed=7,
    library="optuna 5.0.0",
)


@dataclass
class TuningOnDisk:
    """The tuning of a sweep by its learning rate; rows start without trials."""

    sweep: SweepOnDisk
    budget: int = 3
    trials: list[Trial] = field(default_factory=list)
    tuned: list[TunedRow] = field(default_factory=list)

    def _sweep_with(self, lr: float, *, inner: bool) -> SweepOnDisk:
        """The sweep under another learning rate, on its own split or on the inner one."""
        protocol = self.sweep.protocol
        changes = {"optimizer": protocol.optimizer.model_copy(update={"lr": lr})}
        if inner:
            changes["split"] = protocol.split.model_copy(update={"seed": 99})
        return SweepOnDisk(
            self.sweep.root,
            protocol.model_copy(update=changes),
            names=self.sweep.names,
            variants=self.sweep.variants,
        )

    def add_trial(self, row: str, lr: float, end: float | str | None) -> RunFolder:
        """One more trial of a row.

        Its end is a score (fraction), ``failed``, ``diverged``, ``interrupted``, or None: no
        process has begun it.
        """
        sweep = self._sweep_with(lr, inner=True)
        number = sum(trial.run.name == row for trial in self.trials) + 1
        run = sweep.run(row)
        match end:
            case float():
                sweep.finish(row, miou=end)
            case "interrupted":
                sweep.interrupt(row)
            case "failed" | "diverged":
                sweep.fail(row, kind="error" if end == "failed" else "diverged")
        recorded = RecordedRun(key=run.key, name=row, variant=run.variant, seed=run.seed)
        self.trials.append(Trial(number=number, setting={LR: lr}, run=recorded))
        return sweep.folder(row)

    def add_trials(self, row: str, ends: Mapping[float, float | str | None]) -> None:
        """All trials of a row by learning rate."""
        for lr, end in ends.items():
            self.add_trial(row, lr, end)

    def tune(self, row: str, trial: int, epochs: Mapping[int, Sequence[float]]) -> None:
        """Trains a row anew with the setting of a trial: by seed, MIoU (fractions) of two epochs.

        The first epoch is the selected one; a seed without epochs is not begun.
        """
        setting: Setting = next(
            each.setting for each in self.trials if (each.run.name, each.number) == (row, trial)
        )
        sweep = self._sweep_with(float(setting[LR]), inner=False)
        runs = []
        for seed, mious in epochs.items():
            if mious:
                sweep.finish(row, seed, epochs=mious, selected=1)
            run = sweep.run(row, seed)
            runs.append(RecordedRun(key=run.key, name=row, variant=run.variant, seed=seed))
        self.tuned.append(TunedRow(row=row, trial=trial, setting=setting, runs=tuple(runs)))

    def record(self) -> TuningRecord:
        """Leaves the record in the store."""
        context = self.sweep.context
        inner = context.data.model_copy(update={"train": 112, "validation": 47})
        record = TuningRecord(
            sweep=self.sweep.sweep,
            context=context,
            inner=context.model_copy(update={"data": inner}),
            sampler=SAMPLER,
            space={LR: {"low": 1e-4, "high": 1e-2, "log": True, "step": None, "choices": []}},
            budget=self.budget,
            metric="miou",
            trials=tuple(self.trials),
            tuned=tuple(self.tuned),
            updated=1.7e9,
        )
        self.sweep.store.record_tuning(record)
        return record


def two_tuned_rows(table: SweepOnDisk) -> TuningOnDisk:
    """Two rows, two seeds, three trials each; the baseline's second one diverges."""
    table.names, table.seeds, table.comparisons = (A, B), (0, 1), (CLAIM,)
    for seed, (a, b) in enumerate(((0.70, 0.80), (0.72, 0.83))):
        table.finish(A, seed, epochs=(a, a - 0.02), selected=1)
        table.finish(B, seed, epochs=(b, b - 0.01), selected=1)
    made = TuningOnDisk(table)
    made.add_trials(A, dict(zip(RATES, (0.60, 0.90, 0.50), strict=True)))
    made.add_trials(B, dict(zip(RATES, (0.85, "diverged", 0.84), strict=True)))
    made.tune(A, 2, {0: (0.88, 0.87), 1: (0.89, 0.85)})
    made.tune(B, 1, {0: (0.81, 0.80), 1: (0.83, 0.82)})
    made.record()
    return made


def summary_of(report: Report) -> TuningSummary:
    assert report.tuning is not None
    return report.tuning


def tuned_row(table: SweepOnDisk, name: str) -> RowTuning:
    return next(row for row in summary_of(table.report()).rows if row.name == name)
