import math

import pytest
from scipy import stats

from ablate.errors import StoreError
from ablate.metrics import METRIC_NAMES
from ablate.report.model import COLUMNS, Hole, Row
from ablate.report.statistics import interval_of
from ablate.runs import Parameters
from ablate.spec import NANO_WEIGHTS, Comparison
from report.conftest import FIVE_AND_SAM, MACHINE, RIVALS, VIT_L, Table

NOTHING_TRAINED = Parameters(total=312_342_832, trainable=0, adapter=0, sites=0)


def row_of(table: Table, name: str) -> Row:
    return next(row for row in table.report().rows if row.name == name)


def test_every_metric_has_a_column() -> None:
    assert set(COLUMNS) == set(METRIC_NAMES)


def test_rows_stand_in_the_order_of_the_sweep_with_their_structure(table: Table) -> None:
    table.names = [*table.names, "decoder-only"]
    rows = table.report().rows
    assert [row.name for row in rows] == list(table.names)
    structure = {row.name: (row.midlay, row.residual, row.outside) for row in rows}
    assert structure["translandseg-5"] == ("m×2 + c×3", True, True)
    assert structure["translandseg-9"] == ("m×1", False, False)
    assert structure["decoder-only"] == (None, None, None)


def test_one_seed_has_a_value_and_no_spread(table: Table) -> None:
    table.finish("translandseg", miou=0.8812)
    score = row_of(table, "translandseg").scores["miou"]
    assert (score.n, score.sd, score.published, score.printed) == (1, None, 88.1, "88.1")
    assert score.mean == pytest.approx(88.12)
    assert score.difference == pytest.approx(0.02)


def test_several_seeds_have_mean_and_sample_deviation(table: Table) -> None:
    table.seeds = (0, 1, 2)
    for seed, miou in enumerate((0.80, 0.82, 0.87)):
        table.finish("translandseg", seed, miou=miou)
    score = row_of(table, "translandseg").scores["miou"]
    assert score.n == 3
    assert score.per_seed == pytest.approx({0: 80, 1: 82, 2: 87})
    assert score.mean == pytest.approx(83)
    assert score.sd == pytest.approx(math.sqrt((9 + 1 + 16) / 2))


def test_a_seed_without_a_result_leaves_the_mean_of_the_others(table: Table) -> None:
    table.seeds = (0, 1)
    table.finish("translandseg", 0, miou=0.80)
    table.fail("translandseg", 1)
    row = row_of(table, "translandseg")
    assert row.hole is None
    assert (row.scores["miou"].n, row.scores["miou"].mean) == (1, 80)
    assert [(seed.state, seed.cause) for seed in row.seeds] == [
        ("done", None),
        ("failed", "no memory"),
    ]


def test_every_hole_has_its_name_and_no_number(table: Table) -> None:
    table.finish("translandseg")
    table.fail("translandseg-1")
    table.fail("translandseg-2", kind="diverged", why="the loss is nan")
    table.fail("translandseg-3", kind="died")
    table.interrupt("translandseg-5")
    with table.begin("translandseg-7").claim() as claimed:
        assert claimed
        rows = {row.name: row for row in table.report().rows}
    expected: dict[str, Hole | None] = {
        "translandseg": None,
        "translandseg-1": "failed",
        "translandseg-2": "diverged",
        "translandseg-3": "failed",
        "translandseg-5": "interrupted",
        "translandseg-7": "running",
        "translandseg-9": "not run",
    }
    assert {name: row.hole for name, row in rows.items()} == expected
    for row in rows.values():
        if row.hole:
            assert {(s.n, s.mean, s.sd, s.difference) for s in row.scores.values()} == {
                (0, None, None, None)
            }


def test_a_row_of_different_holes_is_named_by_the_gravest(table: Table) -> None:
    table.seeds = (0, 1)
    table.interrupt("translandseg", 0)
    table.fail("translandseg", 1)
    assert row_of(table, "translandseg").hole == "failed"


def test_what_the_paper_leaves_out_is_not_reported(table: Table) -> None:
    table.finish("translandseg-9")
    row = row_of(table, "translandseg-9")
    assert (row.hole, row.published_hole) == (None, "not reported")
    assert {score.published for score in row.scores.values()} == {None}
    assert row_of(table, "translandseg").published_hole is None


def test_without_a_published_table_nothing_is_published(table: Table) -> None:
    table.published = None
    table.finish("translandseg-1")
    table.finish("translandseg")
    report = table.report()
    assert report.published is None
    assert report.parameters is None
    for row in report.rows:
        assert row.published_hole is None
        assert {score.published for score in row.scores.values()} == {None}
    assert report.rows[0].delta is not None
    assert report.rows[0].delta.published is None


def test_without_a_baseline_there_is_no_delta(table: Table) -> None:
    table.baseline = None
    table.finish("translandseg-1")
    table.finish("translandseg")
    assert {row.delta for row in table.report().rows} == {None}


# Differences ----------------------------------------------------------------------------


def test_delta_pairs_seeds_and_agrees_with_scipy(table: Table) -> None:
    table.seeds = (0, 1, 2, 3)
    ours, theirs = [0.70, 0.74, 0.71], [0.80, 0.79, 0.83]
    for seed, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        table.finish("translandseg-7", seed, miou=one)
        table.finish("translandseg", seed, miou=other)
    table.finish("translandseg", 3, miou=0.10)
    delta = row_of(table, "translandseg-7").delta
    expected = stats.ttest_rel([100 * x for x in ours], [100 * x for x in theirs])
    interval = expected.confidence_interval(0.95)
    assert delta is not None
    assert delta.n == 3
    assert delta.mean == pytest.approx(-100 * (0.10 + 0.05 + 0.12) / 3)
    assert (delta.low, delta.high) == pytest.approx((interval.low, interval.high))
    assert delta.published == -14.8
    assert row_of(table, "translandseg").delta is None


def test_an_interval_needs_two_values() -> None:
    assert interval_of([1.0]) is None
    assert interval_of([1.0, 1.0]) == (1.0, 1.0)


def test_delta_to_a_missing_baseline_names_the_hole(table: Table) -> None:
    table.finish("translandseg-7")
    table.fail("translandseg")
    delta = row_of(table, "translandseg-7").delta
    assert delta is not None
    assert (delta.n, delta.mean, delta.hole) == (0, None, "TransLandSeg failed")


def test_delta_without_a_common_seed_says_so(table: Table) -> None:
    table.seeds = (0, 1)
    table.finish("translandseg-7", 0)
    table.finish("translandseg", 1)
    delta = row_of(table, "translandseg-7").delta
    assert delta is not None
    assert (delta.mean, delta.hole) == (None, "no seed in common")


# Claims ---------------------------------------------------------------------------------

RESIDUAL = Comparison(claim="Residual helps", better="translandseg", worse=("translandseg-7",))


def verdict(table: Table, better: list[float], *worse: list[float]) -> str:
    """Of the claim that the baseline beats the first rows, given every seed's MIoU."""
    names = ["translandseg-1", "translandseg-2"][: len(worse)]
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=tuple(names)),)
    table.seeds = tuple(range(max(map(len, (better, *worse)))))
    for name, mious in zip(["translandseg", *names], [better, *worse], strict=True):
        for seed, miou in enumerate(mious):
            table.finish(name, seed, miou=miou)
    return table.report().claims[0].reproduced


def test_a_claim_holds_if_all_intervals_are_above_0(table: Table) -> None:
    assert verdict(table, [0.80, 0.81], [0.70, 0.711], [0.60, 0.61]) == "holds"


def test_a_claim_does_not_hold_if_one_interval_is_below_0(table: Table) -> None:
    assert verdict(table, [0.80, 0.81], [0.70, 0.711], [0.90, 0.911]) == "does not hold"


def test_a_claim_is_open_if_an_interval_holds_0(table: Table) -> None:
    verdict_of_three = verdict(table, [0.80, 0.81, 0.82], [0.70, 0.90, 0.75])
    assert verdict_of_three == "cannot tell at n=3"


def test_one_seed_never_decides(table: Table) -> None:
    assert verdict(table, [0.80], [0.10]) == "cannot tell at n=1"


def test_the_smallest_n_is_the_one_named(table: Table) -> None:
    assert verdict(table, [0.80, 0.81], [0.70, 0.711], [0.1]) == "cannot tell at n=1"


def test_a_hole_leaves_a_claim_open(table: Table) -> None:
    table.comparisons = (RESIDUAL,)
    table.finish("translandseg")
    table.fail("translandseg-7", kind="diverged")
    claim = table.report().claims[0]
    assert claim.reproduced == "cannot tell: TransLandSeg-7 diverged"
    assert claim.published == "holds"
    assert claim.pairs[0].difference.published == 14.8


def test_a_claim_about_a_row_that_is_not_in_the_table_is_open(table: Table) -> None:
    table.names = ["translandseg"]
    table.comparisons = (RESIDUAL,)
    table.finish("translandseg")
    assert table.report().claims[0].reproduced == "cannot tell: translandseg-7 not run"


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        ("translandseg-1", "translandseg", "does not hold"),
        ("translandseg", "translandseg-9", "not reported"),
    ],
)
def test_printed_numbers_get_a_verdict_too(
    table: Table, better: str, worse: str, expected: str
) -> None:
    table.comparisons = (Comparison(claim="…", better=better, worse=(worse,)),)
    assert table.report().claims[0].published == expected


def test_without_published_values_a_claim_has_one_verdict(table: Table) -> None:
    table.published, table.comparisons = None, (RESIDUAL,)
    assert table.report().claims[0].published is None


# Rows of other systems ------------------------------------------------------------------


def test_rivals_and_sam_itself_have_rows_without_a_structure(table: Table) -> None:
    table.names, table.published = FIVE_AND_SAM, "table1"
    for name in table.names:
        table.finish(name, parameters=NOTHING_TRAINED if name == "sam-points" else VIT_L)
    report = table.report()
    rows = {row.name: row for row in report.rows}
    assert [row.system for row in report.rows] == [*["cnn"] * 4, "sam", "sam-zero-shot"]
    for name in (*RIVALS, "sam-points"):
        assert (rows[name].midlay, rows[name].residual, rows[name].outside) == (None, None, None)
        assert rows[name].hole is None
    assert rows["pspnet"].scores["miou"].printed == "80.52"
    assert rows["sam-points"].published_hole == "not reported"
    runs = {run.name: run for run in report.provenance.runs}
    assert (runs["sam-points"].epoch, runs["sam-points"].epochs) == (0, 0)
    assert runs["sam-points"].parameters == NOTHING_TRAINED
    assert set(report.provenance.context.resnets) == {"resnet50", "resnet101", "resnet152"}


# Provenance -----------------------------------------------------------------------------


def test_equal_runs_need_no_notes(table: Table) -> None:
    table.finish("translandseg")
    table.finish("translandseg-1")
    provenance = table.report().provenance
    assert provenance.notes == ()
    assert [run.name for run in provenance.runs] == ["translandseg-1", "translandseg"]
    assert provenance.context.data.label == "generated data"


def test_mixed_commits_and_devices_are_noted(table: Table) -> None:
    other = MACHINE.model_copy(update={"device_name": "Another", "precision": "bfloat16"})
    table.finish("translandseg-1", commit="abc1234")
    table.finish("translandseg-2", commit="def5678+changes", machine=other)
    table.finish("translandseg", commit=None)
    notes = "\n".join(table.report().provenance.notes)
    assert "abc1234 (1 run); def5678+changes (1 run); none known (ablate 0.1.0) (1 run)" in notes
    assert "A processor (2 runs); Another (1 run)" in notes
    assert "uncommitted" in notes
    assert "asks for float32; some runs used bfloat16" in notes


def test_runs_of_another_context_are_refused(table: Table) -> None:
    table.finish("translandseg")
    other = table.protocol.model_copy(update={"epochs": table.protocol.epochs + 1})
    strange = Table(table.root, other).run("translandseg")
    with pytest.raises(StoreError, match="another protocol"):
        table.report([*table.runs[:-1], strange])


def test_a_result_in_the_wrong_folder_is_refused(table: Table) -> None:
    table.finish("translandseg")
    right = table.store.run(table.run("translandseg").key).path
    wrong = table.begin("translandseg-1").path
    (wrong / "result.json").write_bytes((right / "result.json").read_bytes())
    with pytest.raises(StoreError, match="is of run"):
        table.report()


def test_a_result_whose_spec_is_of_another_context_is_refused(table: Table) -> None:
    table.finish("translandseg")
    other = table.protocol.model_copy(update={"epochs": table.protocol.epochs + 1})
    strange = Table(table.root, other)
    spec = strange.begin("translandseg").path / "spec.json"
    right = table.store.run(table.run("translandseg").key).path
    (right / "spec.json").write_bytes(spec.read_bytes())
    with pytest.raises(StoreError, match="is of run"):
        table.report()


def test_a_result_without_a_metric_is_refused(table: Table) -> None:
    table.finish("translandseg")
    path = table.store.run(table.run("translandseg").key).path / "result.json"
    path.write_text(path.read_text().replace('"positive_iou"', '"something_else"'))
    with pytest.raises(StoreError, match="lacks positive_iou"):
        table.report()


def test_the_watermark_is_the_contexts(table: Table) -> None:
    assert table.weights is NANO_WEIGHTS
    assert table.report().watermark == table.context.watermark
