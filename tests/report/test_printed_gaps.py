"""How sure published differences are, and what the validation images can tell at all."""

import numpy as np
import numpy.typing as npt
import pytest

from ablate.report import Report, render
from ablate.report.images import miou_percent
from ablate.report.printed_gaps_model import PrintedGap
from ablate.report.printed_gaps_table import detectable_sentence
from ablate.spec import Comparison, DataIdentity, digest_of
from report.sweep_on_disk import SweepOnDisk
from report.test_images import Counts, finish, made_up
from report.test_tables import table_named

IMAGES = 60


BIJIE = DataIdentity(label="Bijie", digest=digest_of("Bijie"), train=140, validation=IMAGES)


@pytest.fixture
def bijie(table: SweepOnDisk) -> SweepOnDisk:
    """Three rows on the published data set, one of which is never run; two seeds."""
    table.data = BIJIE
    table.names = ("translandseg-4", "translandseg-9", "translandseg")
    table.seeds = (0, 1)
    table.comparisons = (Comparison(claim="x", better="translandseg", worse=("translandseg-4",)),)
    return table


def slightly_worse(counts: Counts, seed: int, share: float) -> Counts:
    """The same images, in each of which up to this share of the true positives is missed too."""
    random = np.random.default_rng(seed)
    missed = [int(tp * share * random.uniform()) for tp, _, _, _ in counts]
    return [(tp - m, fp, fn + m, tn) for m, (tp, fp, fn, tn) in zip(missed, counts, strict=True)]


def run(table: SweepOnDisk, seeds: tuple[int, ...] = (0, 1)) -> Report:
    counts = made_up(1, IMAGES)
    for seed in seeds:
        finish(table, "translandseg", seed, slightly_worse(counts, seed, 0.1))
        finish(table, "translandseg-4", seed, slightly_worse(counts, 10 + seed, 0.2))
    return table.report()


def gaps(report: Report) -> dict[str, PrintedGap]:
    assert report.printed_gaps is not None
    return {gap.second: gap for gap in report.printed_gaps.gaps}


def left_out(table: SweepOnDisk, name: str, seed: int) -> npt.NDArray[np.float64]:
    """MIoU of a run without each of its images (the jackknife); percent."""
    counts = table.folder(name, seed).confusions().counts.astype(float)
    return miou_percent(counts.sum(axis=0) - counts)


def test_a_printed_gap_is_judged_by_how_the_rows_vary_here(bijie: SweepOnDisk) -> None:
    report = run(bijie)
    assert report.printed_gaps is not None
    assert report.printed_gaps.images == 231
    gap = gaps(report)["TransLandSeg-4"]
    # 88.1 - 87.52 in decimals.
    assert (gap.first, gap.printed) == ("TransLandSeg", 0.58)
    pairs = [
        (left_out(bijie, "translandseg", seed), left_out(bijie, "translandseg-4", seed))
        for seed in (0, 1)
    ]
    assert gap.congruence == pytest.approx(
        np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]), abs=0.03
    )
    assert gap.images is not None
    assert gap.independent is not None
    assert gap.training is not None
    variance = (IMAGES - 1) * np.mean([np.var(one - two) for one, two in pairs])
    assert gap.images.se == pytest.approx(np.sqrt(variance * IMAGES / 231), rel=0.06)
    assert gap.independent.se > 2 * gap.images.se
    assert gap.training.se >= gap.images.se
    assert 0 < gap.images.other_sign < gap.independent.other_sign < 0.5
    assert gap.images.smallest == pytest.approx(2.85 * gap.images.se, rel=0.03)


def test_the_tables_print_it(bijie: SweepOnDisk) -> None:
    report = run(bijie)
    printed = table_named(report, "printed-gaps")
    (cells,) = [row for row in printed.rows if row[1].text == "TransLandSeg-4"]
    gap = gaps(report)["TransLandSeg-4"]
    assert gap.images is not None
    assert [cell.text for cell in cells[:3]] == ["TransLandSeg", "TransLandSeg-4", "+0.58"]
    assert cells[4].value == gap.images.se
    assert "as if the published rows varied over 231 images" in printed.caption
    assert "not comparable with the published values" in printed.caption
    # The tenth structure was never run, and the paper has no number of it.
    assert [row[1].text for row in printed.rows] == ["TransLandSeg-4"]
    told = table_named(report, "detectable")
    assert [row[1].text for row in told.rows] == ["TransLandSeg-4", "TransLandSeg-9"]
    assert {cell.text for cell in told.rows[1][2:]} == {"not measured"}
    assert told.notes == ("Not measured (TransLandSeg-9 not run): TransLandSeg, TransLandSeg-9.",)
    for each in ("markdown", "latex", "html"):
        text = render(report, each)
        assert "How sure the published differences are" in text
        assert "The smallest differences that these images can tell" in text


def test_the_smallest_differences_shrink_to_what_images_leave(bijie: SweepOnDisk) -> None:
    report = run(bijie)
    (each, _) = report.detectable
    assert (each.images, each.units) == (IMAGES, 2)
    assert each.now is not None
    assert each.unlimited is not None
    assert each.one_training is not None
    assert each.unlimited < each.one_training < each.now
    sentence = detectable_sentence(report)
    assert sentence is not None
    assert f"With these seeds it is {each.now:.2f} points" in sentence


def test_with_one_seed_trainings_are_unknown(bijie: SweepOnDisk) -> None:
    bijie.seeds = (0,)
    report = run(bijie, seeds=(0,))
    gap = gaps(report)["TransLandSeg-4"]
    assert gap.images is not None
    assert gap.training is None
    (cells,) = table_named(report, "printed-gaps").rows
    assert [cell.text for cell in cells[7:9]] == ["unknown", "unknown"]
    assert cells[9].value == gap.images.smallest
    (each, _) = report.detectable
    assert (each.now, each.unlimited) == (None, None)
    assert "What trainings add takes two seeds to know" in table_named(report, "detectable").caption


def test_rows_without_runs_are_not_measured(bijie: SweepOnDisk) -> None:
    for seed in (0, 1):
        finish(bijie, "translandseg", seed, made_up(seed, IMAGES))
        bijie.fail("translandseg-4", seed)
    gap = gaps(bijie.report())["TransLandSeg-4"]
    assert (gap.images, gap.missing_reason) == (None, "TransLandSeg-4 failed")
    assert bijie.report().detectable == ()


def test_images_of_other_data_tell_nothing_of_printed_gaps(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg-4", "translandseg"), (0, 1)
    report = run(table)
    assert report.printed_gaps is None
    assert len(report.detectable) == 1


def test_rows_that_images_do_not_change_have_no_congruence(bijie: SweepOnDisk) -> None:
    for name in ("translandseg", "translandseg-4"):
        for seed in (0, 1):
            bijie.finish(name, seed, miou=0.8 + 0.01 * seed)
    gap = gaps(bijie.report())["TransLandSeg-4"]
    assert gap.congruence is None
    assert gap.images is not None
    assert gap.images.other_sign == 0
