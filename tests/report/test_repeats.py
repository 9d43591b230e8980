"""Repeats over splits and seeds: what is paired with what, and how tables name it."""

import pytest

from ablate.report import tables_of
from ablate.runs import Store
from report.sweep_on_disk import NOTHING_TRAINED, SweepOnDisk


@pytest.fixture
def over_splits(table: SweepOnDisk) -> SweepOnDisk:
    """Two rows and unadapted SAM on two splits with two seeds; one run is missing."""
    table.names, table.baseline = ("translandseg", "translandseg-1", "sam-points"), "translandseg"
    table.published, table.splits, table.seeds = None, (0, 1), (0, 1)
    for split in table.splits:
        for seed in table.seeds:
            miou = 0.80 + 0.05 * split + 0.01 * seed
            table.finish("translandseg", seed, miou=miou, split=split)
            if (split, seed) != (1, 1):
                table.finish("translandseg-1", seed, miou=miou - 0.02 - 0.01 * split, split=split)
        table.finish("sam-points", miou=0.5 + 0.1 * split, parameters=NOTHING_TRAINED, split=split)
    return table


def test_differences_are_paired_by_repeat(over_splits: SweepOnDisk) -> None:
    rows = {row.name: row for row in over_splits.report().rows}
    delta = rows["translandseg-1"].delta
    assert delta is not None
    # Without split 1, seed 1, which only the baseline has.
    assert (delta.n, delta.mean) == (3, pytest.approx((-2 - 2 - 3) / 3))
    score = rows["translandseg"].scores["miou"]
    assert {(each.split, each.seed): each.value for each in score.per_repeat} == pytest.approx(
        {(0, 0): 80, (0, 1): 81, (1, 0): 85, (1, 1): 86}
    )


def test_what_is_only_evaluated_is_paired_within_its_split(over_splits: SweepOnDisk) -> None:
    row = next(row for row in over_splits.report().rows if row.name == "sam-points")
    assert [(run.split, run.seed, run.state) for run in row.repeats] == [
        (0, 0, "done"),
        (1, 0, "done"),
    ]
    assert row.delta is not None
    assert (row.delta.n, row.delta.mean) == (4, pytest.approx((-30 - 31 - 25 - 26) / 4))


def test_a_split_without_its_evaluation_is_not_run(over_splits: SweepOnDisk) -> None:
    over_splits.splits = (0, 1, 2)
    over_splits.start()
    over_splits.names = ("translandseg", "translandseg-1", "sam-points")
    row = next(row for row in over_splits.report().rows if row.name == "sam-points")
    assert [(run.split, run.state) for run in row.repeats][-1] == (2, "not run")


def test_tables_name_splits_where_there_are_several(over_splits: SweepOnDisk) -> None:
    tables = {each.name: each for each in tables_of(over_splits.report())}
    scores, runs = tables["scores"], tables["runs"]
    assert "over n repeats (split 0: seed 0, 1; split 1: seed 0, 1)" in str(scores.caption)
    assert "Not run: TransLandSeg-1 (split 1: seed 1)." in scores.notes
    assert [column.key for column in runs.columns][:3] == ["label", "split", "seed"]
    places = {(cells[0].text, cells[1].text, cells[2].text) for cells in runs.rows}
    assert ("TransLandSeg", "1", "1") in places
    assert ("TransLandSeg-1", "1", "1") not in places


def test_one_split_is_not_named(over_splits: SweepOnDisk) -> None:
    over_splits.splits = (0,)
    tables = {each.name: each for each in tables_of(over_splits.report())}
    assert "over n seeds (seed 0, 1)" in str(tables["scores"].caption)
    assert "split" not in [column.key for column in tables["runs"].columns]


def test_provenance_says_what_the_splits_are(over_splits: SweepOnDisk) -> None:
    report = over_splits.report()
    assert [each.number for each in report.provenance.numbered] == [1]
    runs = next(each for each in tables_of(report) if each.name == "runs")
    seed = report.provenance.context.protocol.split.model_dump()["seed"]
    facts = [*runs.notes, *runs.caption.splitlines()]
    assert f"Splits (holdout): 0: seed {seed}; 1: seed {seed + 1}" in facts
    over_splits.splits = (0,)
    over_splits.store = Store(over_splits.root / "other")
    runs = next(each for each in tables_of(over_splits.report()) if each.name == "runs")
    assert not any("Splits" in each for each in (*runs.notes, runs.caption))
