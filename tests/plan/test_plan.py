"""From a sweep's rows to runs, and from runs to a plan."""

from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.plan import build_plan, create_run_folders, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Failure, State, Store
from ablate.spec import Context, Variant
from other_variants import peft_variant
from plan.sweeps import plan_of, with_resnets


def rows_of(sweep: str) -> dict[str, Variant]:
    return dict(Catalogue().rows(sweep, "vit_nano"))


def test_runs_are_variants_in_the_tables_order_each_with_its_seeds(context: Context) -> None:
    runs = sweep_runs(rows_of("table4"), context, (0, 1))
    assert [(run.name, run.seed) for run in runs[:3]] == [
        ("translandseg-1", 0),
        ("translandseg-1", 1),
        ("translandseg-2", 0),
    ]
    assert len({run.key for run in runs}) == 20


def test_the_factorial_shares_ten_runs_with_table4(context: Context) -> None:
    table4 = {run.key for run in sweep_runs(rows_of("table4"), context, (0,))}
    factorial = {run.key for run in sweep_runs(rows_of("factorial"), context, (0,))}
    assert table4 < factorial
    assert len(factorial) == 20


def test_named_rows_stay_in_the_tables_order(context: Context) -> None:
    names = ["translandseg", "translandseg-2"]
    runs = sweep_runs(rows_of("table4"), context, (0,), names)
    assert [run.name for run in runs] == ["translandseg-2", "translandseg"]


def test_an_unknown_row_is_refused(context: Context) -> None:
    with pytest.raises(BadInput, match="not a row of the sweep: translandseg-77; its rows are"):
        sweep_runs(rows_of("table4"), context, (0,), ["translandseg", "translandseg-77"])


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30])
def test_a_seed_that_no_generator_takes_is_refused(context: Context, seed: int) -> None:
    with pytest.raises(BadInput, match=f"not a seed: {seed}; seeds are from 0 to 4294967295"):
        sweep_runs(rows_of("table4"), context, (0, seed))


def test_the_largest_seed_is_taken(context: Context) -> None:
    runs = sweep_runs(rows_of("table4"), context, (2**32 - 1,))
    assert {run.seed for run in runs} == {2**32 - 1}


def test_a_variant_of_another_backbone_is_refused(context: Context) -> None:
    rows = rows_of("table4")
    rows["big"] = rows["translandseg"].model_copy(update={"backbone": "vit_b"})
    with pytest.raises(BadInput, match="variant big requires backbone vit_b, but the weights are"):
        sweep_runs(rows, context, (0,))


def test_what_is_only_evaluated_gets_the_lowest_seed(context: Context) -> None:
    runs = sweep_runs(rows_of("table1"), with_resnets(context), (2, 1))
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.name, []).append(run.seed)
    assert seeds["ccnet"] == seeds["translandseg"] == [2, 1]
    assert seeds["sam-points"] == seeds["sam-everything"] == [1]


def test_what_is_only_evaluated_is_the_same_run_whatever_the_seeds(context: Context) -> None:
    rows = {"sam-points": Catalogue().variant("sam-points")}
    (first,) = sweep_runs(rows, context, (2, 1))
    (second,) = sweep_runs(rows, context, (7,))
    assert first.key == second.key


def test_diverged_runs_are_left_alone_and_failed_ones_tried_again(
    context: Context, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    runs = plan_of("table4", context, store).runs
    for run, kind in ((runs[0], "diverged"), (runs[1], "error")):
        run.folder.path.mkdir(parents=True)
        run.folder.write_failure(Failure(kind=kind, message="m", detail="", time=0.0))
    again = plan_of("table4", context, store)
    states = {run.spec.name: (run.state, run.to_train) for run in again.runs}
    assert states["translandseg-1"] == (State.DIVERGED, False)
    assert states["translandseg-2"] == (State.FAILED, True)
    assert states["translandseg"] == (State.NEW, True)
    assert again.pending == again.runs[1:]


def test_a_plan_writes_nothing_until_its_folders_are_created(
    context: Context, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    plan = plan_of("table4", context, store, (0, 1))
    assert not store.root.exists()
    record = create_run_folders(plan, store)
    assert store.sweep_records() == [record]
    assert (record.sweep, record.context) == (plan.sweep, context)
    assert [store.run(run.key).spec() for run in record.runs] == [run.spec for run in plan.runs]


def test_a_later_start_completes_the_record(context: Context, tmp_path: Path) -> None:
    store, sweep = Store(tmp_path), Catalogue().sweep("table4")
    first = sweep_runs(rows_of("table4"), context, (0,), ["translandseg"])
    create_run_folders(build_plan(sweep, context, first, store), store)
    second = sweep_runs(rows_of("table4"), context, (1,), ["translandseg"])
    record = create_run_folders(build_plan(sweep, context, second, store), store)
    assert {run.key for run in record.runs} == {run.key for run in first + second}


def test_a_block_that_the_encoder_has_not_is_refused_by_the_rows_name(context: Context) -> None:
    rows = {"late": peft_variant(sites=[3, 4])}
    with pytest.raises(BadInput, match="variant late: sites names block 4, but the image encoder"):
        sweep_runs(rows, context, (0,))


def test_a_missing_package_is_one_line_before_anything_starts(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert sweep_runs(rows_of("table4"), context, (0,))
    with pytest.raises(BadInput) as caught:
        sweep_runs({"lora": peft_variant()}, context, (0,))
    assert str(caught.value) == (
        "variant lora needs the package peft, which is not installed; "
        "pip install 'ablate[peft]', or leave the variant out"
    )
