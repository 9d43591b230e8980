"""``plan_sweep``: what would run, where, and together with what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ablate.errors import BadInput
from ablate.executors import check_can_detach, devices_in_use, executor_settings
from ablate.plan import Cohort, Plan, PlannedRun, build_plan, group_into_cohorts, sweep_runs
from ablate.runs import ScaleRanges, State, Store, disk
from ablate.study.changed_inputs import changed_since_the_runs
from ablate.study.devices import choose_devices
from ablate.study.request import Request
from ablate.study.resolve import resolve

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SweepPlan:
    """All that ``run_sweep`` is going to do.

    Attributes:
        request: What was requested.
        plan: The runs, and what their folders say now.
        devices: Where they are trained, one worker for each.
        seeds: The seeds, the first of them first.
        choice: Why this protocol is used; None where the user or the sweep names it.
        cohorts: The runs that are trained together, in the order in which workers take them: the
            first repeat of every row first.
        ranges: The percentiles of the training images that become 0 and 255, for red, green and
            blue; None: none are declared.
        changed: Which files have changed since the runs of this sweep, where that is why its runs
            are planned anew; None: it is not.
    """

    request: Request
    plan: Plan
    devices: tuple[str, ...]
    seeds: tuple[int, ...]
    choice: str | None
    cohorts: tuple[Cohort, ...]
    ranges: ScaleRanges | None = None
    changed: str | None = None

    @property
    def elsewhere(self) -> tuple[PlannedRun, ...]:
        """The runs that another process trains now."""
        return tuple(run for run in self.plan.runs if run.state is State.RUNNING)

    def rows(self) -> list[dict[str, str | int | None]]:
        """One row for each run: variant, split, seed, key, state and the number of its cohort."""
        cohort_of = {
            path: number
            for number, cohort in enumerate(self.cohorts, start=1)
            for path in cohort.folders
        }
        return [
            {
                "variant": run.spec.name,
                "split": run.spec.split,
                "seed": run.spec.seed,
                "key": run.spec.key,
                "state": run.state.value,
                "cohort": cohort_of.get(run.folder.path),
            }
            for run in self.plan.runs
        ]

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas frame; ``cohort`` is missing where nothing is to be trained."""
        import pandas as pd

        return pd.DataFrame(self.rows()).astype({"cohort": "Int64"})


def plan_sweep(request: Request) -> SweepPlan:
    """Plans a sweep. Starts and writes nothing.

    Raises:
        BadInput: If a name, a path or a file is wrong, or data, weights or a device are missing.
    """
    store = Store(request.store)
    disk.check_readable(store.root)
    settings = request.executor_settings
    executor_settings(request.executor, settings)
    if request.detach:
        _check_detach(request)
    if request.track and request.tracking_uri is not None:
        from ablate.tracking import check_uri

        check_uri(request.tracking_uri)
    resolved = resolve(request, store)
    first, *further = resolved.contexts
    runs = sweep_runs(resolved.rows, first, resolved.seeds, request.variants, further)
    plan = build_plan(
        resolved.sweep, resolved.context, runs, store, resolved.matched, request.retry
    )
    choose = partial(choose_devices, context=resolved.context)
    devices = devices_in_use(request.executor, settings, request.devices, choose)
    cohorts = group_into_cohorts(plan.pending, len(devices), request.cohort_size)
    return SweepPlan(
        request,
        plan,
        devices,
        resolved.seeds,
        resolved.choice,
        tuple(cohorts),
        resolved.ranges,
        changed_since_the_runs(request, plan, store),
    )


def _check_detach(request: Request) -> None:
    """Refuses to leave where somebody has to stay.

    Raises:
        BadInput: If the executor's jobs end with the process, or somebody has to watch them.
    """
    check_can_detach(request.executor, request.executor_settings)
    if not request.keep_going:
        raise BadInput(
            "--detach and --fail-fast exclude each other: nobody is there to stop the other runs",
            "omit one of them",
        )
