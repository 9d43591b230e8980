"""What tuning gave, from made-up stores: default beside tuned, trials, claims, settings."""

import statistics

import pytest
from scipy import stats

from ablate.report import WRITERS, Report, render, tables_of
from ablate.spec import Comparison
from report.sweep_on_disk import NOTHING_TRAINED, SweepOnDisk
from report.test_tables import headings, table_named
from report.tuning_on_disk import CLAIM, RATES, A, B, TuningOnDisk, summary_of, tuned_row


def test_a_sweep_that_was_never_tuned_has_nothing_of_it(table: SweepOnDisk) -> None:
    table.finish(B)
    report = table.report()
    assert report.tuning is None
    names = [each.name for each in tables_of(report)]
    assert not {"default-and-tuned", "trials", "best-of-k", "by-setting"} & set(names)


def test_a_broken_record_is_a_note_with_the_repair(tuning: TuningOnDisk) -> None:
    (path,) = (tuning.sweep.root / "tunings").glob("*.json")
    path.write_text("{}")
    report = tuning.sweep.report()
    assert report.tuning is None
    assert any(
        "move it away, with the journal beside it" in note for note in report.provenance.notes
    )


def test_the_default_runs_of_the_sweep_stay_as_they_are(tuning: TuningOnDisk) -> None:
    scores = {row.name: row.scores["miou"].mean for row in tuning.sweep.report().rows}
    assert scores == pytest.approx({A: 71, B: 81.5})


# Default and tuned ----------------------------------------------------------------------


def test_tuned_minus_default_is_paired_by_seed(tuning: TuningOnDisk) -> None:
    row = tuned_row(tuning.sweep, A)
    assert row.chosen is not None
    assert (row.chosen.trial, row.chosen.setting) == (2, {"optimizer.lr": 1e-3})
    assert row.chosen.score == pytest.approx(90)
    selected = row.selected
    assert (selected.default.mean, selected.tuned.mean) == pytest.approx((71, 88.5))
    assert selected.tuned.sd == pytest.approx(statistics.stdev((88, 89)))
    expected = stats.ttest_rel((88, 89), (70, 72)).confidence_interval(0.95)
    difference = selected.difference
    assert (difference.n, difference.mean) == (2, pytest.approx(17.5))
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_the_last_epoch_stands_beside_the_selected_one(tuning: TuningOnDisk) -> None:
    last = tuned_row(tuning.sweep, A).last
    assert (last.default.mean, last.tuned.mean) == pytest.approx((69, 86))
    assert last.difference.mean == pytest.approx(17)
    printed = table_named(tuning.sweep.report(), "default-and-tuned")
    assert headings(printed) == [
        *["Model", "optimizer.lr", "epoch", "n"],
        *["default", "tuned", "tuned − default", "95 % interval"],
    ]
    lines = [[cell.text for cell in row] for row in printed.rows[:2]]
    assert lines[0][:4] == ["TransLandSeg-1", "0.001", "selected", "2"]
    assert lines[0][4:7] == ["71.00 ± 1.41", "88.50 ± 0.71", "+17.50"]
    assert lines[1][:4] == ["", "", "last", "2"]
    assert lines[1][4:7] == ["69.00 ± 1.41", "86.00 ± 1.41", "+17.00"]


def test_a_protocol_that_keeps_the_last_epoch_has_one_line_a_row(table: SweepOnDisk) -> None:
    table.names = (B,)
    table.protocol = table.protocol.model_copy(update={"selection": "last"})
    made = TuningOnDisk(table)
    made.add_trials(B, {1e-3: 0.8})
    made.record()
    printed = table_named(table.report(), "default-and-tuned")
    assert [row[2].text for row in printed.rows] == ["last"]
    assert "The last epoch is kept, which no choice has seen." in printed.caption


def test_the_caption_says_how_the_settings_were_found(tuning: TuningOnDisk) -> None:
    caption = table_named(tuning.sweep.report(), "default-and-tuned").caption
    for words in (
        "Budget: 3 trials of every row, equal in number; in device seconds from 25.0 "
        "(TransLandSeg) to 37.5 (TransLandSeg-1).",
        "sampler quasi-random (seed 7, qmc_type=sobol, scramble=True; optuna 5.0.0).",
        "Space: optimizer.lr: low 0.0001, high 0.01, log True.",
        "trains on 112 and validates on 47 of the training images",
        "the choice of the setting saw training images only",
        "by default and tuned alike",
    ):
        assert words in caption


def test_a_seed_that_is_not_tuned_yet_is_left_out_of_the_pairs(tuning: TuningOnDisk) -> None:
    tuning.tuned.pop(0)
    tuning.tune(A, 1, {0: (0.88, 0.87), 1: ()})
    tuning.record()
    selected = tuned_row(tuning.sweep, A).selected
    assert (selected.default.n, selected.tuned.n, selected.difference.n) == (2, 1, 1)
    assert selected.difference.low is None
    line = table_named(tuning.sweep.report(), "default-and-tuned").rows[0]
    assert [cell.text for cell in line[3:]] == [
        *["1", "71.00 ± 1.41 (n = 2)", "88.00", "+18.00", "—"]
    ]


def test_events_that_cannot_be_read_leave_the_last_epoch_empty(tuning: TuningOnDisk) -> None:
    for run in next(row for row in tuning.tuned if row.row == A).runs:
        (tuning.sweep.store.run(run.key).path / "events.jsonl").unlink()
    row = tuned_row(tuning.sweep, A)
    assert (row.selected.tuned.n, row.last.tuned.n) == (2, 0)
    last = table_named(tuning.sweep.report(), "default-and-tuned").rows[1]
    assert (last[5].kind, last[5].text) == ("missing", "unreadable")


# Trials ---------------------------------------------------------------------------------


def test_every_hole_has_its_reason(table: SweepOnDisk) -> None:
    table.names = (*(f"translandseg-{n}" for n in (1, 2, 3, 5, 7, 9)), B)
    made = TuningOnDisk(table)
    made.add_trials("translandseg-2", dict(zip(RATES, (0.6, "failed", None), strict=True)))
    made.add_trials("translandseg-3", {1e-4: 0.6})
    made.add_trials(
        "translandseg-5", dict(zip(RATES, ("failed", "diverged", "failed"), strict=True))
    )
    made.add_trials("translandseg-7", dict(zip(RATES, (0.6, 0.7, 0.8), strict=True)))
    made.add_trials("translandseg-9", dict(zip(RATES, (0.6, 0.7, 0.8), strict=True)))
    made.tune("translandseg-9", 3, {0: ()})
    made.add_trials(B, dict(zip(RATES, (0.6, 0.7, "interrupted"), strict=True)))
    made.record()
    reasons = {row.name: row.missing_reason for row in summary_of(table.report()).rows}
    assert reasons == {
        "translandseg-1": "not tuned",
        "translandseg-2": "trials not ended",
        "translandseg-3": "trials not ended",
        "translandseg-5": "no trial is done",
        "translandseg-7": "not run",
        "translandseg-9": "not run",
        B: "trials not ended",
    }
    report = table.report()
    for each in WRITERS:
        assert render(report, each)
    printed = table_named(report, "trials")
    assert [row[3].text for row in printed.rows] == [
        "not tuned",
        "1 done, 1 failed, 1 not ended of 3",
        "1 done, 2 not ended of 3",
        "0 done, 2 failed, 1 diverged of 3",
        "3 done of 3",
        "3 done of 3",
        "2 done, 1 not ended of 3",
    ]
    assert [row[4].text for row in printed.rows][:5] == [
        "not tuned",
        "≥ 12.5",
        "≥ 12.5",
        "≥ 0.0",
        "37.5",
    ]
    assert printed.notes == (
        "Trials without a score (no memory): TransLandSeg-2, 2; TransLandSeg-5, 1, 3.",
    )


def test_a_trial_that_runs_is_not_ended(table: SweepOnDisk) -> None:
    table.names = (B,)
    made = TuningOnDisk(table, budget=1)
    folder = made.add_trial(B, 1e-3, "interrupted")
    made.record()
    with folder.claim() as claimed:
        assert claimed
        assert tuned_row(table, B).trials.open == 1


def test_a_trial_that_cannot_be_read_leaves_its_own_place_empty(tuning: TuningOnDisk) -> None:
    key = tuning.trials[0].run.key
    (tuning.sweep.store.run(key).path / "result.json").write_text("{}")
    row = tuned_row(tuning.sweep, A)
    assert (row.trials.done, row.trials.unreadable) == (2, 1)
    assert row.best_of_k == pytest.approx((70, 90))
    (note,) = table_named(tuning.sweep.report(), "trials").notes
    assert "TransLandSeg-1, 1." in note


def test_rows_that_are_only_evaluated_have_nothing_to_tune(table: SweepOnDisk) -> None:
    table.names, table.published = ("sam-points", B), None
    table.comparisons = (Comparison(claim="…", better=B, worse=("sam-points",)),)
    table.finish("sam-points", miou=0.5, parameters=NOTHING_TRAINED)
    made = TuningOnDisk(table, budget=1)
    made.add_trials(B, {1e-3: 0.8})
    made.tune(B, 1, {0: (0.8, 0.8)})
    made.record()
    report = table.report()
    for name in ("default-and-tuned", "trials", "best-of-k"):
        labels = {row[0].text for row in table_named(report, name).rows}
        assert labels <= {"TransLandSeg", ""}
    # A claim still compares the tuned row with it.
    (claim,) = summary_of(report).claims
    assert claim.pairs[0].difference.mean == pytest.approx(30)


# Best of k and pairs of settings --------------------------------------------------------


def test_a_trial_that_diverged_counts_as_zero(tuning: TuningOnDisk) -> None:
    rows = {row.name: row.best_of_k for row in summary_of(tuning.sweep.report()).rows}
    assert rows[A] == pytest.approx((200 / 3, (90 + 90 + 60) / 3, 90))
    assert rows[B] == pytest.approx((169 / 3, (85 + 85 + 84) / 3, 85))


def test_the_order_of_rows_changes_with_k(tuning: TuningOnDisk) -> None:
    summary = summary_of(tuning.sweep.report())
    changes = [(each.k, each.ahead, each.behind) for each in summary.order_changes]
    assert changes == [
        (2, "TransLandSeg", "TransLandSeg-1"),
        (3, "TransLandSeg-1", "TransLandSeg"),
    ]
    printed = table_named(tuning.sweep.report(), "best-of-k-order")
    assert [cell.text for cell in printed.rows[0]] == ["2", "TransLandSeg", "TransLandSeg-1"]


def test_an_order_that_never_changes_is_said_so(table: SweepOnDisk) -> None:
    table.names = (A, B)
    made = TuningOnDisk(table, budget=2)
    made.add_trials(A, {1e-4: 0.5, 1e-3: 0.6})
    made.add_trials(B, {1e-4: 0.7, 1e-3: 0.8})
    made.record()
    report = table.report()
    assert "best-of-k-order" not in [each.name for each in tables_of(report)]
    (note,) = table_named(report, "best-of-k").notes
    assert "same at every k" in note


def test_the_table_shows_powers_of_two_and_all_trials(table: SweepOnDisk) -> None:
    table.names = (A, B)
    made = TuningOnDisk(table, budget=6)
    made.add_trials(B, {1e-4 * n: 0.1 * n for n in range(1, 7)})
    made.add_trials(A, {1e-4: 0.5})
    made.record()
    printed = table_named(table.report(), "best-of-k")
    assert headings(printed) == ["Model", "trials", "k = 1", "k = 2", "k = 4", "k = 6"]
    short, whole = ([cell.text for cell in row] for row in printed.rows)
    assert short == ["TransLandSeg-1", "1", "50.00", *["too few trials"] * 3]
    assert (whole[2], whole[-1]) == ("35.00", "60.00")


def test_scores_are_paired_by_setting(tuning: TuningOnDisk) -> None:
    report = tuning.sweep.report()
    by_name = {row.name: row.by_setting for row in summary_of(report).rows}
    assert by_name[B] is None
    difference = by_name[A]
    assert difference is not None
    # The second setting has no score of the baseline.
    values = (-25, -34)
    assert (difference.n, difference.mean) == (2, pytest.approx(statistics.mean(values)))
    assert difference.sd == pytest.approx(statistics.stdev(values))
    printed = table_named(report, "by-setting")
    assert [cell.text for cell in printed.rows[0]][:3] == ["TransLandSeg-1", "2", "-29.50 ± 6.36"]
    assert {cell.text for cell in printed.rows[1][1:]} == {"baseline"}


def test_settings_of_an_own_sequence_are_not_paired(table: SweepOnDisk) -> None:
    table.names = (A, B)
    made = TuningOnDisk(table, budget=1)
    made.add_trials(A, {1e-4: 0.5})
    made.add_trials(B, {1e-3: 0.7})
    made.record()
    report = table.report()
    assert {row.by_setting for row in summary_of(report).rows} == {None}
    assert "by-setting" not in [each.name for each in tables_of(report)]


# Claims ---------------------------------------------------------------------------------


def test_tuning_changes_a_verdict(table: SweepOnDisk) -> None:
    table.names, table.seeds, table.comparisons = (A, B), (0, 1, 2), (CLAIM,)
    made = TuningOnDisk(table, budget=1)
    for row, default in ((A, 0.70), (B, 0.80)):
        for seed in table.seeds:
            table.finish(row, seed, miou=default + 0.001 * seed * (row == B))
        made.add_trial(row, 1e-3, 0.9)
    made.tune(A, 1, dict.fromkeys(table.seeds, (0.9, 0.9)))
    made.tune(B, 1, {seed: (0.85 + 0.001 * seed, 0.9) for seed in table.seeds})
    made.record()
    (claim,) = summary_of(table.report()).claims
    assert (claim.default, claim.tuned, claim.is_changed) == ("holds", "does not hold", True)
    printed = table_named(table.report(), "tuned-claims")
    assert [cell.text for cell in printed.rows[0]] == [
        *["1", "B is ahead of A", "holds", "does not hold", "yes"]
    ]


def test_a_claim_about_a_row_without_a_tuned_score_cannot_be_told(tuning: TuningOnDisk) -> None:
    tuning.tuned.pop()
    tuning.record()
    (claim,) = summary_of(tuning.sweep.report()).claims
    assert claim.tuned == "cannot tell: TransLandSeg not run"
    assert claim.is_changed is None
    assert table_named(tuning.sweep.report(), "tuned-claims").rows[0][-1].text == "—"


def test_the_same_verdict_over_another_n_is_no_change(table: SweepOnDisk) -> None:
    table.names, table.seeds, table.comparisons = (A, B), (0, 1), (CLAIM,)
    made = TuningOnDisk(table, budget=1)
    for row, mious in ((A, (0.7, 0.9)), (B, (0.8, 0.8))):
        for seed, miou in enumerate(mious):
            table.finish(row, seed, miou=miou)
        made.add_trial(row, 1e-3, 0.9)
        made.tune(row, 1, {0: (0.8, 0.8)})
    made.record()
    (claim,) = summary_of(table.report()).claims
    assert (claim.default, claim.tuned) == (
        "cannot tell at n=2",
        "cannot tell for these images (one training each)",
    )
    assert claim.is_changed is False


# Formats --------------------------------------------------------------------------------


def test_json_has_the_whole_tuning(tuning: TuningOnDisk) -> None:
    report = tuning.sweep.report()
    again = Report.model_validate_json(render(report, "json"))
    assert again.tuning == report.tuning
    assert render(again, "markdown") == render(report, "markdown")
    for heading in (
        "Default and tuned",
        "Claims under tuning",
        "Expected best of k trials",
        "Paired by setting",
    ):
        assert f"## {heading}\n" in render(report, "markdown")


def test_columns_have_names_of_their_own(tuning: TuningOnDisk) -> None:
    for each in tables_of(tuning.sweep.report()):
        keys = [column.key for column in each.columns]
        assert len(set(keys)) == len(keys), each.name
