"""Main effects and interactions: known ones are found, and what cannot be told is not told."""

import builtins
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.registry import Catalogue
from ablate.report import tables_of
from ablate.report.effects import Effect, Effects, FactorRun
from ablate.report.effects_table import effects_tables
from ablate.report.factor_effects import effects_of, estimate
from ablate.report.least_squares import fit
from ablate.report.results import RunRecord, read_results
from ablate.runs import Store
from ablate.spec import Protocol, SamVariant, Sweep, Variant
from ablate.study.report import report_sweep
from report.factors_on_disk import FactorsOnDisk, on_disk
from report.sweep_on_disk import SweepOnDisk

# Three levels and two factors of two; all effects sum to zero.
FACTORS = {"size": ("s", "m", "l"), "place": ("in", "out"), "skip": ("yes", "no")}
SIZE = {"s": 2.0, "m": -0.5, "l": -1.5}
PLACE = {"in": 0.7, "out": -0.7}
SIZE_PLACE = {"s": 0.3, "m": 0.1, "l": -0.4}
SEEDS = {0: 1.0, 1: -3.0, 2: 5.0}
NO_NOISE: Callable[[], float] = lambda: 0.0  # noqa: E731


def truth(levels: Mapping[str, str]) -> float:
    sign = 1 if levels["place"] == "in" else -1
    return 80 + SIZE[levels["size"]] + PLACE[levels["place"]] + sign * SIZE_PLACE[levels["size"]]


def cells(factors: Mapping[str, Sequence[str]] = FACTORS) -> list[dict[str, str]]:
    return [dict(zip(factors, each, strict=True)) for each in itertools.product(*factors.values())]


def table(
    where: Iterable[dict[str, str]],
    seeds: Iterable[int] = SEEDS,
    noise: Callable[[], float] = NO_NOISE,
    value: Callable[[Mapping[str, str]], float] = truth,
) -> list[FactorRun]:
    return [
        FactorRun(
            name=",".join(levels.values()),
            split=0,
            seed=seed,
            levels=levels,
            miou=value(levels) + SEEDS[seed] + noise(),
        )
        for levels in where
        for seed in seeds
    ]


def effects(runs: Sequence[FactorRun], factors: Any = FACTORS, planned: int = 0) -> Effects:
    return estimate(factors, runs, planned or len(runs))


def means(found: Sequence[Effect]) -> dict[tuple[str, ...], float | None]:
    return {tuple(each.levels.values()): each.mean for each in found}


def reasons(found: Sequence[Effect]) -> dict[tuple[str, ...], str | None]:
    return {tuple(each.levels.values()): each.missing_reason for each in found}


def tiny_noise() -> Callable[[], float]:
    generator = np.random.default_rng(0)
    return lambda: 1e-6 * generator.standard_normal()


# Known effects ----------------------------------------------------------------------------

EXPECTED = {
    **{(level,): mean for level, mean in SIZE.items()},
    **{(level,): mean for level, mean in PLACE.items()},
    ("yes",): 0.0,
    ("no",): 0.0,
}


def test_known_effects_are_found() -> None:
    found = effects(table(cells(), noise=tiny_noise()))
    assert means(found.main) == pytest.approx(EXPECTED, abs=1e-5)
    assert means(found.interactions) == pytest.approx(
        {(size, "in"): mean for size, mean in SIZE_PLACE.items()}
        | {(size, "yes"): 0.0 for size in SIZE}
        | {("in", "yes"): 0.0},
        abs=1e-5,
    )
    assert (found.repeats, found.notes) == (3, ())
    # 36 runs, less 1 mean, 2 seeds, 2 + 1 + 1 main effects and 2 + 2 + 1 interactions.
    assert found.residual_df == 36 - 12
    assert found.residual_sd == pytest.approx(1e-6, rel=0.5)


def test_a_failed_run_does_not_bend_the_effects() -> None:
    """The seeds differ by points: a plain mean over what is left would be off by them."""
    runs = table(cells(), noise=tiny_noise())
    kept = [run for run in runs if (run.name, run.seed) not in {("s,in,yes", 2), ("m,out,no", 1)}]
    found = effects(kept, planned=len(runs))
    assert means(found.main) == pytest.approx(EXPECTED, abs=1e-5)
    assert found.notes == (
        "34 of 36 runs have a result: the table is not balanced, and effects are estimates of "
        "least squares, not differences of plain means.",
    )
    plain = [run.miou for run in kept if run.levels["size"] == "s"]
    assert abs(np.mean(plain) - np.mean([run.miou for run in kept]) - SIZE["s"]) > 0.1


def test_a_combination_without_runs_is_no_gap_where_all_pairs_have_some() -> None:
    where = [each for each in cells() if tuple(each.values()) != ("s", "in", "yes")]
    found = effects(table(where, noise=tiny_noise()))
    assert means(found.main) == pytest.approx(EXPECTED, abs=1e-5)
    assert all(each.mean is not None for each in found.interactions)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """95 % of 14 intervals in each of 400 tables with noise and a gap."""
    generator = np.random.default_rng(7)
    where = cells()
    levels = [run.levels for run in table(where)]
    seeds = [run.seed for run in table(where)]
    exact = np.array([run.miou for run in table(where)])
    known = EXPECTED | {(size, "in"): mean for size, mean in SIZE_PLACE.items()}
    inside, count, width = 0, 0, []
    for _ in range(400):
        noisy = exact + 0.5 * generator.standard_normal(len(exact))
        gap = int(generator.integers(len(exact)))
        kept = [place for place in range(len(exact)) if place != gap]
        found = fit(FACTORS, [levels[i] for i in kept], [seeds[i] for i in kept], list(noisy[kept]))
        for each in (*found.main, *found.interactions):
            assert each.interval is not None
            low, high = each.interval
            inside += low <= known.get(tuple(each.levels.values()), 0.0) <= high
            count += 1
            width.append(high - low)
    assert 0.935 < inside / count < 0.965
    assert 0.1 < np.mean(width) < 1.0


def test_interactions_of_three_factors_count_as_noise() -> None:
    factors = {"a": ("0", "1"), "b": ("0", "1"), "c": ("0", "1")}

    def odd(levels: Mapping[str, str]) -> float:
        return 2.0 * (sum(map(int, levels.values())) % 2)

    found = effects(table(cells(factors), value=odd, noise=tiny_noise()), factors)
    assert means(found.main) == pytest.approx({("0",): 0, ("1",): 0}, abs=1e-5)
    assert found.residual_sd == pytest.approx(1.26, abs=0.05)


# What cannot be told ----------------------------------------------------------------------


def test_one_seed_has_effects_and_no_interval() -> None:
    found = effects(table(cells(), seeds=[0]))
    assert means(found.main) == pytest.approx(EXPECTED)
    assert all((each.low, each.high) == (None, None) for each in (*found.main, *found.interactions))
    assert found.residual_sd is None
    assert found.notes == (
        "No combination of levels has results of two repeats, so noise cannot be told from "
        "effects: no interval.",
    )
    main, _ = effects_tables(found, None)
    assert "Student" not in main.caption


def test_each_row_with_a_seed_of_its_own_is_no_repeat() -> None:
    runs = [table([each], seeds=[place % 3])[0] for place, each in enumerate(cells())]
    assert effects(runs).residual_sd is None


def test_as_many_effects_as_runs_leave_no_interval() -> None:
    factors = {"a": ("0", "1")}
    found = effects(table(cells(factors), seeds=[0], value=lambda each: float(each["a"])), factors)
    assert means(found.main) == pytest.approx({("0",): -0.5, ("1",): 0.5})
    assert (found.residual_df, found.residual_sd) == (0, None)


def test_an_excluded_pair_of_levels_leaves_its_interaction_out() -> None:
    where = [each for each in cells() if (each["size"], each["place"]) != ("l", "out")]

    def additive(levels: Mapping[str, str]) -> float:
        return 80 + SIZE[levels["size"]] + PLACE[levels["place"]]

    found = effects(table(where, value=additive, noise=tiny_noise()))
    assert means(found.main) == pytest.approx(EXPECTED, abs=1e-5)
    told = reasons(found.interactions)
    assert {told[size, "in"] for size in SIZE} == {"no run with size l and place out"}
    assert told["s", "yes"] is told["in", "yes"] is None
    assert found.notes == (
        "size × place is taken to be zero, since no run has size l and place out; if it is not, "
        "the other effects are off by it.",
    )


def test_half_of_the_combinations_mix_effects_that_are_then_not_told() -> None:
    factors = {"a": ("0", "1"), "b": ("0", "1"), "c": ("0", "1")}
    half = [each for each in cells(factors) if list(each.values()).count("1") % 2 == 0]
    found = effects(table(half, value=lambda each: float(each["a"])), factors)
    assert {each.mean for each in (*found.main, *found.interactions)} == {None}
    assert [each.missing_reason for each in found.main[::2]] == [
        "not told apart from b × c",
        "not told apart from a × c",
        "not told apart from a × b",
    ]


def test_factors_that_change_together_are_not_told_apart() -> None:
    factors = {"a": ("0", "1"), "b": ("0", "1"), "c": ("0", "1")}
    where = [each for each in cells(factors) if each["a"] == each["b"]]
    found = effects(table(where, value=lambda each: float(each["c"]), noise=tiny_noise()), factors)
    told = {tuple(each.levels.items()): each for each in (*found.main, *found.interactions)}
    assert told[("a", "0"),].missing_reason == "not told apart from b"
    assert told[("c", "1"),].mean == pytest.approx(0.5, abs=1e-5)


def test_a_level_without_a_result_is_left_out_and_named() -> None:
    found = effects([run for run in table(cells()) if run.levels["size"] != "l"], planned=36)
    assert found.factors["size"] == ("s", "m")
    assert found.notes[0] == "No result with size l, which is left out."
    found = effects([run for run in table(cells()) if run.levels["place"] == "in"], planned=36)
    assert "All results have place in: its effect cannot be told." in found.notes
    assert ("in",) not in means(found.main)
    main, *_ = effects_tables(found, None)
    (row,) = (row for row in main.rows if row[1].text == "in")
    assert (row[3].kind, row[3].text) == ("missing", "not estimated")


def test_without_statsmodels_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name.startswith("statsmodels"):
            raise ModuleNotFoundError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    found = effects(table(cells()))
    assert found.main == found.interactions == ()
    assert found.notes == (
        "Effects need statsmodels, which is not installed: install ablate with its extra `stats`.",
    )
    (main,) = effects_tables(found, None)
    assert {row[3].text for row in main.rows} == {"not estimated"}


# Tables -----------------------------------------------------------------------------------


def test_the_tables_show_levels_effects_and_intervals() -> None:
    main, interactions = effects_tables(effects(table(cells(), noise=tiny_noise())), "a watermark")
    texts = [[cell.text for cell in row] for row in main.rows]
    assert texts[0] == ["size", "s", "12", "+2.00", "+2.00 … +2.00"]
    assert texts[1][:4] == ["", "m", "12", "-0.50"]
    assert "24 degrees of freedom" in main.caption
    assert main.caption.endswith("a watermark.")
    assert [cell.text for cell in interactions.rows[0]] == [
        "size × place",
        "s, in",
        "6",
        "+0.30",
        "+0.30 … +0.30",
    ]
    assert "other sign" in interactions.caption


# From a sweep -----------------------------------------------------------------------------


def structure_value(variant: Variant) -> float:
    """The residual connection is worth 8 points, everything else nothing."""
    assert isinstance(variant, SamVariant)
    return 0.80 + 0.04 * (1 if variant.adapter.columns()["residual"] else -1)


def finish_all_but_one(made: FactorsOnDisk, failed: tuple[str, int]) -> None:
    made.fail(*failed)
    for name, seed in itertools.product(made.names, made.seeds):
        if (name, seed) != failed:
            shift = 0.001 * ((len(name) * 7 + seed * 3) % 5)
            made.finish(name, seed, miou=structure_value(made.variant(name)) + shift)


def test_the_shipped_factorial_reports_effects_and_importances(
    tmp_path: Path, protocol: Protocol
) -> None:
    made = on_disk(tmp_path, protocol, "factorial", (0, 1))
    finish_all_but_one(made, ("translandseg-5", 1))
    report = report_sweep(made.start(), Store(tmp_path)).report
    found = report.effects
    assert found is not None
    assert found.factors == {
        "midlays": ("m×1", "m×2", "c×2", "c×3", "m×2 + c×3"),
        "placement": ("outside", "inside"),
        "residual": ("true", "false"),
    }
    told = {tuple(each.levels.items()): each for each in found.main}
    true = told[("residual", "true"),]
    assert true.mean == pytest.approx(4, abs=0.2)
    assert true.low is not None
    assert true.low > 3
    importances = found.importances
    assert importances is not None
    assert max(importances.shares, key=importances.shares.__getitem__) == "residual"
    assert sum(importances.shares.values()) == pytest.approx(1)
    assert (importances.best, importances.runs) == (5, 39)
    assert found.notes[0].startswith("39 of 40 runs")
    names = [table.name for table in tables_of(report)]
    assert names[names.index("effects") + 1] == "interactions"
    page = report_sweep(made.start(), Store(tmp_path)).render()
    assert "(PED-ANOVA)" in page
    assert "importance (%)" in page


def test_one_factor_has_no_interactions(tmp_path: Path, protocol: Protocol) -> None:
    made = on_disk(tmp_path, protocol, "bottleneck", (0, 1))
    for place, name in enumerate(made.names):
        for seed in made.seeds:
            made.finish(name, seed, miou=0.7 + 0.01 * place + 0.001 * seed)
    found = report_sweep(made.start(), Store(tmp_path)).report.effects
    assert found is not None
    assert found.factors == {"width": ("2", "4", "8", "16", "32", "64")}
    assert found.interactions == ()
    assert [each.mean for each in found.main] == pytest.approx([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])


def test_sweeps_without_factors_or_results_have_no_effects(
    tmp_path: Path, protocol: Protocol
) -> None:
    assert SweepOnDisk(tmp_path / "rows", protocol).report().effects is None
    made = on_disk(tmp_path / "factors", protocol, "bottleneck", (0,))
    assert report_sweep(made.start(), Store(tmp_path / "factors")).report.effects is None


def records(
    tmp_path: Path, protocol: Protocol, sweep: Sweep, rows: dict[str, Variant]
) -> list[RunRecord]:
    made = FactorsOnDisk(tmp_path, protocol, names=tuple(rows), variants=rows)
    made.own = sweep
    for place, name in enumerate(rows):
        made.finish(name, miou=0.7 + 0.01 * place)
    return read_results(made.start(), made.store)


def declared(**fields: Any) -> Sweep:
    return Sweep(name="mine", title="t", protocol="demo", seeds=(0,), base="translandseg", **fields)


def rows_of(sweep: Sweep) -> dict[str, Variant]:
    return Catalogue().rows(sweep, "vit_nano")


def test_fields_that_go_in_step_are_one_factor(tmp_path: Path, protocol: Protocol) -> None:
    sweep = declared(
        factors={"adapter.residual": (True, False)},
        zip={"adapter.width": (4, 8), "adapter.kernel_size": (3, 5)},
    )
    found = effects_of(sweep, records(tmp_path, protocol, sweep, rows_of(sweep)))
    assert found is not None
    assert found.factors == {"residual": ("true", "false"), "width + kernel size": ("4, 3", "8, 5")}
    assert {run.levels["width + kernel size"] for run in found.runs} == {"4, 3", "8, 5"}


def test_a_listed_row_that_differs_in_more_than_the_factors_is_no_part(
    tmp_path: Path, protocol: Protocol
) -> None:
    """The random encoder has the levels of a combination, and something else besides."""
    sweep = declared(
        variants=("random-encoder", "translandseg", "decoder-only"),
        factors={"adapter.width": (2, 4), "adapter.residual": (True, False)},
    )
    rows = rows_of(sweep)
    found = effects_of(sweep, records(tmp_path, protocol, sweep, rows))
    assert found is not None
    assert {run.name for run in found.runs} == set(rows) - {"random-encoder", "decoder-only"}
    assert len(found.runs) == 4


def test_factors_of_one_name_are_called_by_their_paths(tmp_path: Path, protocol: Protocol) -> None:
    sweep = declared(
        factors={"adapter.width": (2, 4), "adapter": ({"residual": True}, {"residual": False})}
    )
    found = effects_of(sweep, records(tmp_path, protocol, sweep, rows_of(sweep)))
    assert found is not None
    assert found.factors["adapter"] == ('{"residual": true}', '{"residual": false}')
    assert len(found.runs) == 4
