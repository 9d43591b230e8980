import math

import pytest
from scipy import stats

from ablate.report.model import MissingReason
from ablate.report.statistics import interval_of
from ablate.runs import RunFolder
from ablate.spec import METRIC_NAMES, NANO_WEIGHTS, Comparison
from report.sweep_on_disk import (
    CNN_BASELINES,
    FIVE_AND_SAM,
    MACHINE,
    NOTHING_TRAINED,
    VIT_L,
    SweepOnDisk,
    row_of,
)


def test_every_row_has_every_metric(table: SweepOnDisk) -> None:
    assert {tuple(row.scores) for row in table.report().rows} == {METRIC_NAMES}


def test_rows_stand_in_the_order_of_the_sweep_with_their_structure(table: SweepOnDisk) -> None:
    table.names = [*table.names, "decoder-only"]
    rows = table.report().rows
    assert [row.name for row in rows] == list(table.names)
    structure = {row.name: row.structure for row in rows}
    for name in table.names:
        assert structure[name] == table.variant(name).columns()
    assert structure["translandseg-5"]["midlays"] == "m×2 + c×3"
    assert "midlays" not in structure["decoder-only"]


def test_one_seed_has_a_value_and_no_spread(table: SweepOnDisk) -> None:
    table.finish("translandseg", miou=0.8812)
    score = row_of(table, "translandseg").scores["miou"]
    assert (score.n, score.sd, score.published, score.printed) == (1, None, 88.1, "88.1")
    assert score.mean == pytest.approx(88.12)
    assert score.difference == pytest.approx(0.02)


def test_several_seeds_have_mean_and_sample_deviation(table: SweepOnDisk) -> None:
    table.seeds = (0, 1, 2)
    for seed, miou in enumerate((0.80, 0.82, 0.87)):
        table.finish("translandseg", seed, miou=miou)
    score = row_of(table, "translandseg").scores["miou"]
    assert score.n == 3
    values = {each.seed: each.value for each in score.per_repeat}
    assert values == pytest.approx({0: 80, 1: 82, 2: 87})
    assert score.mean == pytest.approx(83)
    assert score.sd == pytest.approx(math.sqrt((9 + 1 + 16) / 2))


def test_a_seed_without_a_result_leaves_the_mean_of_the_others(table: SweepOnDisk) -> None:
    table.seeds = (0, 1)
    table.finish("translandseg", 0, miou=0.80)
    table.fail("translandseg", 1)
    row = row_of(table, "translandseg")
    assert row.missing_reason is None
    assert (row.scores["miou"].n, row.scores["miou"].mean) == (1, 80)
    assert [(run.state, run.cause) for run in row.repeats] == [
        ("done", None),
        ("failed", "no memory"),
    ]


def test_every_missing_number_has_its_reason(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    table.fail("translandseg-1")
    table.fail("translandseg-2", kind="diverged", why="the loss is nan")
    table.fail("translandseg-3", kind="died")
    table.interrupt("translandseg-5")
    # Another process would claim it by an object of its own.
    with RunFolder(table.begin("translandseg-7").path).claim() as claimed:
        assert claimed
        rows = {row.name: row for row in table.report().rows}
    expected: dict[str, MissingReason | None] = {
        "translandseg": None,
        "translandseg-1": "failed",
        "translandseg-2": "diverged",
        "translandseg-3": "failed",
        "translandseg-5": "interrupted",
        "translandseg-7": "running",
        "translandseg-9": "not run",
    }
    assert {name: row.missing_reason for name, row in rows.items()} == expected
    for row in rows.values():
        if row.missing_reason:
            assert {(s.n, s.mean, s.sd, s.difference) for s in row.scores.values()} == {
                (0, None, None, None)
            }


def test_a_row_of_several_reasons_is_named_by_the_gravest(table: SweepOnDisk) -> None:
    table.seeds = (0, 1)
    table.interrupt("translandseg", 0)
    table.fail("translandseg", 1)
    assert row_of(table, "translandseg").missing_reason == "failed"


def test_what_the_paper_leaves_out_is_not_reported(table: SweepOnDisk) -> None:
    table.finish("translandseg-9")
    row = row_of(table, "translandseg-9")
    assert (row.missing_reason, row.published_missing_reason) == (None, "not reported")
    assert {score.published for score in row.scores.values()} == {None}
    assert row_of(table, "translandseg").published_missing_reason is None


def test_without_a_published_table_nothing_is_published(table: SweepOnDisk) -> None:
    table.published = None
    table.finish("translandseg-1")
    table.finish("translandseg")
    report = table.report()
    assert report.published is None
    assert report.parameters is None
    for row in report.rows:
        assert row.published_missing_reason is None
        assert {score.published for score in row.scores.values()} == {None}
    assert report.rows[0].delta is not None
    assert report.rows[0].delta.published is None


def test_without_a_baseline_there_is_no_delta(table: SweepOnDisk) -> None:
    table.baseline = None
    table.finish("translandseg-1")
    table.finish("translandseg")
    assert {row.delta for row in table.report().rows} == {None}


# Differences ----------------------------------------------------------------------------


def test_delta_pairs_seeds_and_agrees_with_scipy(table: SweepOnDisk) -> None:
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


def test_delta_to_a_missing_baseline_names_the_reason(table: SweepOnDisk) -> None:
    table.finish("translandseg-7")
    table.fail("translandseg")
    delta = row_of(table, "translandseg-7").delta
    assert delta is not None
    assert (delta.n, delta.mean, delta.missing_reason) == (0, None, "TransLandSeg failed")


def test_delta_without_a_common_seed_says_so(table: SweepOnDisk) -> None:
    table.seeds = (0, 1)
    table.finish("translandseg-7", 0)
    table.finish("translandseg", 1)
    delta = row_of(table, "translandseg-7").delta
    assert delta is not None
    assert (delta.mean, delta.missing_reason) == (None, "no repeat in common")


# Claims ---------------------------------------------------------------------------------

RESIDUAL = Comparison(claim="Residual helps", better="translandseg", worse=("translandseg-7",))


def verdict(table: SweepOnDisk, better: list[float], *worse: list[float]) -> str:
    """Of the claim that the baseline beats the first rows, given every seed's MIoU."""
    names = ["translandseg-1", "translandseg-2"][: len(worse)]
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=tuple(names)),)
    table.seeds = tuple(range(max(map(len, (better, *worse)))))
    for name, mious in zip(["translandseg", *names], [better, *worse], strict=True):
        for seed, miou in enumerate(mious):
            table.finish(name, seed, miou=miou)
    return table.report().claims[0].reproduced


def test_a_claim_holds_if_all_intervals_are_above_0(table: SweepOnDisk) -> None:
    assert verdict(table, [0.80, 0.81], [0.70, 0.711], [0.60, 0.61]) == "holds"


def test_a_claim_does_not_hold_if_one_interval_is_below_0(table: SweepOnDisk) -> None:
    assert verdict(table, [0.80, 0.81], [0.70, 0.711], [0.90, 0.911]) == "does not hold"


def test_a_claim_is_open_if_an_interval_holds_0(table: SweepOnDisk) -> None:
    verdict_of_three = verdict(table, [0.80, 0.81, 0.82], [0.70, 0.90, 0.75])
    assert verdict_of_three == "cannot tell at n=3"


def test_one_seed_decides_for_its_images_alone(table: SweepOnDisk) -> None:
    # The test's images are all alike, so that another draw of them changes nothing.
    assert verdict(table, [0.80], [0.10]) == "holds for these images (one training each)"


def test_one_pair_of_one_training_is_enough_to_bind_a_claim_to_its_images(
    table: SweepOnDisk,
) -> None:
    bound = verdict(table, [0.80, 0.81], [0.70, 0.7101], [0.1])
    assert bound == "holds for these images (one training each)"


def test_one_refuted_pair_refutes_whatever_the_others_rest_on(table: SweepOnDisk) -> None:
    assert verdict(table, [0.80, 0.81], [0.9, 0.9101], [0.9]) == "does not hold"


def test_the_smallest_n_is_the_one_named(table: SweepOnDisk) -> None:
    open_claim = verdict(table, [0.80, 0.81, 0.82], [0.70, 0.90, 0.75], [0.70, 0.95])
    assert open_claim == "cannot tell at n=2"


def test_a_missing_number_leaves_a_claim_open(table: SweepOnDisk) -> None:
    table.comparisons = (RESIDUAL,)
    table.finish("translandseg")
    table.fail("translandseg-7", kind="diverged")
    claim = table.report().claims[0]
    assert claim.reproduced == "cannot tell: TransLandSeg-7 diverged"
    assert claim.published == "holds"
    assert claim.pairs[0].difference.published == 14.8


def test_a_claim_about_a_row_that_is_not_in_the_table_is_open(table: SweepOnDisk) -> None:
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
    table: SweepOnDisk, better: str, worse: str, expected: str
) -> None:
    table.comparisons = (Comparison(claim="…", better=better, worse=(worse,)),)
    assert table.report().claims[0].published == expected


def test_without_published_values_a_claim_has_one_verdict(table: SweepOnDisk) -> None:
    table.published, table.comparisons = None, (RESIDUAL,)
    assert table.report().claims[0].published is None


# Rows of other systems ------------------------------------------------------------------


def test_cnn_baselines_and_unadapted_sam_have_rows_of_their_own(table: SweepOnDisk) -> None:
    table.names, table.published = FIVE_AND_SAM, "table1"
    for name in table.names:
        table.finish(name, parameters=NOTHING_TRAINED if name == "sam-points" else VIT_L)
    report = table.report()
    rows = {row.name: row for row in report.rows}
    assert [row.system for row in report.rows] == [*["cnn"] * 4, "sam", "sam-zero-shot"]
    for name in (*CNN_BASELINES, "sam-points"):
        assert "midlays" not in rows[name].structure
        assert rows[name].missing_reason is None
    assert rows["pspnet"].scores["miou"].printed == "80.52"
    assert rows["sam-points"].published_missing_reason == "not reported"
    runs = {run.name: run for run in report.provenance.runs}
    assert (runs["sam-points"].epoch, runs["sam-points"].epochs) == (0, 0)
    assert runs["sam-points"].parameters == NOTHING_TRAINED
    assert set(report.provenance.context.resnets) == {"resnet50", "resnet101", "resnet152"}


# Provenance -----------------------------------------------------------------------------


def test_equal_runs_need_no_notes(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    table.finish("translandseg-1")
    provenance = table.report().provenance
    assert provenance.notes == ()
    assert [run.name for run in provenance.runs] == ["translandseg-1", "translandseg"]
    assert provenance.context.data.label == "generated data"


def test_mixed_commits_and_devices_are_noted(table: SweepOnDisk) -> None:
    other = MACHINE.model_copy(update={"device_name": "Another", "precision": "bfloat16"})
    table.finish("translandseg-1", commit="abc1234")
    table.finish("translandseg-2", commit="def5678+changes", machine=other)
    table.finish("translandseg", commit=None)
    notes = "\n".join(table.report().provenance.notes)
    assert "abc1234 (1 run); def5678+changes (1 run); none known (ablate 0.1.0) (1 run)" in notes
    assert "A processor (2 runs); Another (1 run)" in notes
    assert "uncommitted" in notes
    assert "requires float32; some runs used bfloat16" in notes


def test_the_watermark_is_the_contexts(table: SweepOnDisk) -> None:
    assert table.weights is NANO_WEIGHTS
    assert table.report().watermark == table.context.watermark


# What is only evaluated -----------------------------------------------------------------


def test_what_is_only_evaluated_is_paired_with_every_seed(table: SweepOnDisk) -> None:
    table.names, table.published, table.seeds = ("translandseg", "sam-points"), None, (1, 2)
    table.finish("translandseg", 1, miou=0.80)
    table.finish("translandseg", 2, miou=0.84)
    table.finish("sam-points", 1, miou=0.50)
    row = row_of(table, "sam-points")
    assert (row.scores["miou"].n, row.scores["miou"].sd) == (1, None)
    assert [run.state for run in row.repeats] == ["done"]
    assert row.delta is not None
    assert (row.delta.n, row.delta.mean) == (2, pytest.approx(-32))
    assert row.delta.low is not None
