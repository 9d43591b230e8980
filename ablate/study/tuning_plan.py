"""``plan_tuning``: which settings would be tried, on which images, and for how many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablate.errors import BadInput, SpecError
from ablate.registry import Catalogue
from ablate.runs import RecordedRun, SamplerRecord, Setting, Store, Trial, TuningRecord
from ablate.spec import Context, GeneratedData, InnerSplit, RunSpec, Variant
from ablate.study.plan import SweepPlan, plan_sweep
from ablate.study.request import Request
from ablate.study.settings import Settings, tuning_of
from ablate.tune import Attempt, Sampler, find_sampler

MAX_TRIALS = 1_000


@dataclass(frozen=True)
class TuningPlan:
    """All that ``tune_sweep`` is going to do.

    Attributes:
        sweep: The sweep as it is declared; its rows are the defaults that tuning is compared with.
        table: All rows of the sweep, in the table's order.
        settings: Makes specs from settings.
        inner: What the trials share, but for their settings: the inner split above all.
        sampler: Where settings come from.
        sampler_seed: The seed of its sequence.
        trials: Trials of each row.
        storage: URL of Optuna's storage; None: a file in the store.
    """

    sweep: SweepPlan
    table: tuple[str, ...]
    settings: Settings
    inner: Context
    sampler: Sampler
    sampler_seed: int
    trials: int
    storage: str | None

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that are tuned, in the table's order."""
        return tuple(self.settings.rows)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that a row's best setting is trained with; trials have the first."""
        return self.sweep.seeds

    def sampler_record(self) -> SamplerRecord:
        """What is kept of the sampler."""
        return self.sampler.record(self.sampler_seed)

    def first_settings(self, count: int) -> dict[str, list[Setting]]:
        """The first settings of every row, as far as they can be told before any trial."""
        count = min(count, self.trials)
        if self.sampler.is_adaptive:
            return {row: [self.next_setting(row, [])] for row in self.rows}
        return self.settings_by_row(count)

    def settings_by_row(self, count: int) -> dict[str, list[Setting]]:
        """The settings of every row of a sampler that looks at no outcome.

        Of a shared sequence every row takes the fields that it has: the n-th setting is the same
        for all rows.
        """
        if self.sampler.is_shared:
            shared = self.sampler.sequence(self.settings.space, self.sampler_seed, count)
            return {
                row: [self.settings.setting_of(row, setting) for setting in shared]
                for row in self.rows
            }
        spaces = {row: self.settings.space_of(row) for row in self.rows}
        return {
            row: self.sampler.row_sequence(space, self.sampler_seed, row, count)
            for row, space in spaces.items()
        }

    def next_setting(self, row: str, attempts: Sequence[Attempt]) -> Setting:
        """The setting that follows a row's trials, by a sampler that looks at them."""
        space = self.settings.space_of(row)
        return self.sampler.following(space, self.sampler_seed, row, attempts)

    def trial_spec(self, row: str, setting: Setting) -> RunSpec:
        """The run of one trial."""
        return self._spec(row, setting, self.inner, self.seeds[0])

    def tuned_specs(self, row: str, setting: Setting) -> list[RunSpec]:
        """The runs of a row's best setting, on the sweep's own split."""
        return [self._spec(row, setting, self.sweep.plan.context, seed) for seed in self.seeds]

    def trial_spec_of(self, trial: Trial) -> RunSpec:
        """The run of a recorded trial."""
        return self.trial_spec(trial.run.name, trial.setting)

    def _spec(self, row: str, setting: Setting, context: Context, seed: int) -> RunSpec:
        protocol = self.settings.protocol_of(setting, context.protocol.split)
        return RunSpec(
            name=row,
            variant=self.settings.variant_of(row, setting),
            context=context.model_copy(update={"protocol": protocol}),
            seed=seed,
        )


def recorded(run: RunSpec) -> RecordedRun:
    """A run as records name it."""
    return RecordedRun(key=run.key, name=run.name, variant=run.variant, seed=run.seed)


def plan_tuning(
    request: Request, trials: int, sampler: str, sampler_seed: int, storage: str | None
) -> TuningPlan:
    """Plans a tuning. Starts and writes nothing.

    Raises:
        BadInput: If a name, a path or a file is wrong, the sweep has nothing to tune, or a field of
            the space or an end of its range breaks rules.
    """
    if isinstance(trials, bool) or not 1 <= trials <= MAX_TRIALS:
        raise BadInput(
            f"{str(trials)[:20]} trials are out of range", f"give a number from 1 to {MAX_TRIALS}"
        )
    if request.detach:
        raise BadInput(
            "a tuning cannot be detached: what is trained next depends on what came of the trials",
            "omit detach; a tuning that is killed leaves its jobs to the cluster, and continues",
        )
    found = find_sampler(sampler, sampler_seed)
    if storage is not None:
        from ablate.tune.storage import check_url

        check_url(storage)
    # The training images of one split are validation images of others, which no choice may see.
    planned = plan_sweep(replace(request, splits=1))
    plan = planned.plan
    tuning = tuning_of(plan.sweep.tune, plan.sweep.name)
    rows: dict[str, Variant] = {
        run.spec.name: run.spec.variant for run in plan.runs if run.spec.variant.is_trained
    }
    if not rows:
        raise BadInput("no row is trained, so that there is nothing to tune", "name other rows")
    catalogue = Catalogue()
    settings = Settings(catalogue, plan.context.protocol, rows, tuning)
    settings.check()
    return TuningPlan(
        sweep=planned,
        table=tuple(catalogue.rows(plan.sweep, plan.context.protocol.backbone)),
        settings=settings,
        inner=inner_context(request, plan.context, settings),
        sampler=found,
        sampler_seed=sampler_seed,
        trials=trials,
        storage=storage,
    )


def inner_context(request: Request, context: Context, settings: Settings) -> Context:
    """What the trials of a sweep share: its context, with its training images split once more.

    Raises:
        DataError: If they are too few.
        SpecError: If the protocol's split is an inner one already.
    """
    # As in ``identify_context``: what takes long to import comes last.
    from ablate.data import identify, open_images

    tuning, protocol = settings.tuning, context.protocol
    if isinstance(protocol.split, InnerSplit):
        raise SpecError(
            [f"protocol {protocol.label} has an inner split; tune under the split inside it"]
        )
    split = InnerSplit(
        kind="inner",
        of=protocol.split,
        validation_share=tuning.validation_share,
        seed=tuning.seed,
    )
    store = Store(request.store)
    digests = store.digests_path if store.root.exists() else None
    root = None if isinstance(protocol.data, GeneratedData) else request.data
    identity = identify(open_images(protocol.data, root, digests), split, root)
    identity = identity.model_copy(update={"label": f"{identity.label} (inner split)"})
    inner = protocol.model_copy(update={"split": split})
    return context.model_copy(update={"protocol": inner, "data": identity})


def continues(earlier: TuningRecord, planned: TuningPlan) -> bool:
    """Whether a recorded tuning is the beginning of this one.

    The version of the library may differ: settings that were tried stay what they are.
    """
    was, now = earlier.sampler, planned.sampler_record()
    return (
        (was.name, was.options, was.seed) == (now.name, now.options, now.seed)
        and earlier.inner.id == planned.inner.id
        and earlier.space == space_record(planned)
        and earlier.metric == planned.settings.tuning.metric
    )


def space_record(planned: TuningPlan) -> dict[str, object]:
    """The space as it is recorded."""
    return {
        name: domain.model_dump(mode="json", exclude_defaults=True)
        for name, domain in planned.settings.tuning.space.items()
    }
