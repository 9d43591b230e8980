"""From runs to cohorts."""

from pathlib import Path

import pytest

from ablate.plan import Cohort, PlannedRun, build_plan, group_into_cohorts, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import Context, RunSpec
from plan.sweeps import plan_of, with_resnets


def names(cohorts: list[Cohort], runs: tuple[PlannedRun, ...]) -> list[list[str]]:
    """Each cohort as the names of its runs' variants."""
    name_of = {run.folder.path: run.spec.name for run in runs}
    return [[name_of[path] for path in cohort.folders] for cohort in cohorts]


@pytest.mark.parametrize(
    ("seeds", "workers", "sizes"),
    [
        ((0,), 1, [10]),
        ((0,), 2, [5, 5]),
        ((0,), 3, [4, 3, 3]),
        ((0,), 99, [1] * 10),
        ((0, 1, 2), 1, [10, 10, 10]),
        ((0, 1), 2, [10, 10]),
        ((0, 1), 4, [5, 5, 5, 5]),
        # Of three whole seeds one worker would get two, and the other would wait.
        ((0, 1, 2), 2, [5, 5, 5, 5, 5, 5]),
        ((0, 1, 2), 8, [2] * 15),
    ],
)
def test_cohorts_share_a_seed_and_leave_no_worker_idle(
    context: Context, tmp_path: Path, seeds: tuple[int, ...], workers: int, sizes: list[int]
) -> None:
    runs = plan_of("table4", context, Store(tmp_path), seeds).pending
    cohorts = group_into_cohorts(runs, workers)
    assert [len(cohort.folders) for cohort in cohorts] == sizes
    seed_of = {run.folder.path: run.spec.seed for run in runs}
    assert all(len({seed_of[path] for path in cohort.folders}) == 1 for cohort in cohorts)
    assert sorted(path for cohort in cohorts for path in cohort.folders) == sorted(seed_of)


@pytest.mark.parametrize(
    ("workers", "size", "sizes"),
    [
        (1, 1, [1] * 10),
        (1, 4, [4, 3, 3]),
        (1, 99, [10]),
        # Two workers: half each would be five, but four are allowed.
        (2, 4, [4, 3, 3]),
        (2, 5, [5, 5]),
        (4, 5, [3, 3, 2, 2]),
    ],
)
def test_no_cohort_is_larger_than_the_size(
    context: Context, tmp_path: Path, workers: int, size: int, sizes: list[int]
) -> None:
    runs = plan_of("table4", context, Store(tmp_path)).pending
    cohorts = group_into_cohorts(runs, workers, size)
    assert [len(cohort.folders) for cohort in cohorts] == sizes


def test_what_is_left_of_a_sweep_is_shared_evenly(context: Context, tmp_path: Path) -> None:
    runs = plan_of("table4", context, Store(tmp_path), (0, 1)).pending
    left = [run for run in runs if run.spec.seed == 1] + [runs[0]]
    assert [len(cohort.folders) for cohort in group_into_cohorts(left, 2)] == [1, 5, 5]


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("seeds", [(0, 1, 2), (2, 0, 1)])
def test_a_whole_table_exists_before_a_row_is_repeated(
    context: Context, tmp_path: Path, workers: int, seeds: tuple[int, ...]
) -> None:
    protocol = context.protocol
    split = protocol.split.model_copy(update={"seed": protocol.split.seed + 1})
    other = context.model_copy(update={"protocol": protocol.model_copy(update={"split": split})})
    catalogue = Catalogue()
    rows = catalogue.rows("table4", protocol.backbone)
    runs = sweep_runs(rows, context, seeds, further=(other,))
    plan = build_plan(catalogue.sweep("table4"), context, runs, Store(tmp_path))
    repeat_of = {run.folder.path: run.spec.repeat for run in plan.runs}
    # What another process has dropped is given in whatever order.
    for pending in (plan.pending, plan.pending[::-1], plan.pending[7:]):
        cohorts = group_into_cohorts(pending, workers)
        taken = [repeat_of[path] for cohort in cohorts for path in cohort.folders]
        assert taken == sorted(taken)
        assert len(taken) == len(pending)


def test_single_runs_of_the_first_repeat_come_before_cohorts_of_the_second(
    context: Context, tmp_path: Path
) -> None:
    runs = plan_of("table1", with_resnets(context), Store(tmp_path), (0, 1)).pending
    seed_of = {run.folder.path: run.spec.seed for run in runs}
    cohorts = group_into_cohorts(runs, 1)
    seeds = [seed_of[path] for cohort in cohorts for path in cohort.folders]
    assert seeds == sorted(seeds)
    # Of each repeat the largest cohort first: at the end no worker has a long one left.
    sizes = [len(cohort.folders) for cohort in cohorts if seed_of[cohort.folders[0]] == 1]
    assert sizes == sorted(sizes, reverse=True)


def test_random_encoders_are_no_part_of_a_cohort_of_pretrained_ones(
    context: Context, tmp_path: Path
) -> None:
    rows = ("decoder-only", "random-encoder", "translandseg")
    plan = plan_of("transfer", context, Store(tmp_path))
    runs = tuple(run for run in plan.pending if run.spec.name in rows)
    assert names(group_into_cohorts(runs, 1), runs) == [
        ["decoder-only", "translandseg"],
        ["random-encoder"],
    ]


def test_cnn_baselines_and_zero_shot_rows_are_alone(context: Context, tmp_path: Path) -> None:
    runs = plan_of("table1", with_resnets(context), Store(tmp_path)).pending
    cohorts = group_into_cohorts(runs, 1)
    assert names(cohorts, runs) == [[run.spec.name] for run in runs]


@pytest.mark.parametrize("change", ["split", "protocol", "data", "weights"])
def test_runs_of_different_contexts_are_not_trained_together(
    context: Context, tmp_path: Path, change: str
) -> None:
    protocol = context.protocol
    split = protocol.split.model_copy(update={"seed": protocol.split.seed + 1})
    changed = {
        "split": {"protocol": protocol.model_copy(update={"split": split})},
        "protocol": {"protocol": protocol.model_copy(update={"epochs": 99})},
        "data": {"data": context.data.model_copy(update={"digest": "1" * 64})},
        "weights": {"weights": context.weights.model_copy(update={"sha256": "1" * 64})},
    }
    other = context.model_copy(update=changed[change])
    rows = {"translandseg": Catalogue().variant("translandseg")}
    runs: list[RunSpec] = [*sweep_runs(rows, context, (0,)), *sweep_runs(rows, other, (0,))]
    plan = build_plan(Catalogue().sweep("table4"), context, runs, Store(tmp_path))
    assert len(group_into_cohorts(plan.pending, 1)) == 2


def test_nothing_to_train_is_no_cohort() -> None:
    assert group_into_cohorts([], 2) == []
    assert group_into_cohorts([], 2, 5) == []
