"""How many repeats decide a claim, and whether they do."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from ablate.report.decision import decision_of, units_for
from ablate.report.decision_model import Decision
from ablate.report.image_spread import Spread
from ablate.report.paired import Images, paired_mean
from ablate.report.power import power_of
from ablate.spec import Comparison, Repeat
from report.sweep_on_disk import SweepOnDisk
from report.test_images import Counts, finish, made_up

IMAGES, DRAWS = 150, 300


def spread_with(difference: float, shared: float, of_run: float, training: float) -> Spread:
    """Two rows whose difference has these standard deviations, known from three seeds."""
    return Spread(
        images=IMAGES,
        repeats=3,
        units=3,
        difference=difference,
        congruence=0.9,
        sampling=shared**2 + of_run**2,
        independent=1.0,
        shared=shared**2,
        unit=training**2 + of_run**2,
        training=training**2,
    )


def decided(spread: Spread, seeds: int, tests: int, sweeps: int = 600) -> float:
    """How many of so many simulated sweeps have an interval on the difference's side of zero."""
    random = np.random.default_rng(3)
    repeats = [Repeat(0, seed) for seed in range(seeds)]
    assert spread.shared is not None
    assert spread.training is not None
    of_run = math.sqrt(spread.sampling - spread.shared)

    def over_images(scale: float, *shape: int) -> npt.NDArray[np.float64]:
        """The error of a mean over images, and what drawing the images anew makes of it."""
        values = scale * math.sqrt(IMAGES) * random.standard_normal((*shape, IMAGES))
        centred = values - values.mean(axis=-1, keepdims=True)
        weights = random.standard_normal((DRAWS, IMAGES))
        weights -= weights.mean(axis=1, keepdims=True)
        draws = centred @ weights.T / (IMAGES - 1)
        return np.concatenate([values.mean(axis=-1)[..., None], draws], axis=-1)

    told = 0
    for _ in range(sweeps):
        images = over_images(math.sqrt(spread.shared)) + over_images(of_run, seeds)
        trainings = math.sqrt(spread.training) * random.standard_normal(seeds)
        values = spread.difference + images[:, 0] + trainings
        mean = paired_mean(
            dict(zip(repeats, values.tolist(), strict=True)),
            Images(IMAGES, dict(zip(repeats, images[:, 1:], strict=True))),
        )
        assert mean is not None
        told += mean.mean > mean.quantile(0.05 / tests) * mean.standard_error
    return told / sweeps


@pytest.mark.parametrize("tests", [1, 8])
@pytest.mark.parametrize(
    ("shared", "of_run", "training"), [(0.1, 0.2, 0.5), (0.2, 0.2, 0.2), (0.02, 0.05, 0.7)]
)
def test_the_predicted_number_of_seeds_decides_in_four_of_five_sweeps(
    shared: float, of_run: float, training: float, tests: int
) -> None:
    spread = spread_with(0.9, shared, of_run, training)
    seeds = units_for(spread, 0.8, tests)
    assert seeds is not None
    # One seed less would not do, so that the share is not far above either.
    expected = power_of(0.9, spread.of_units(seeds), tests)
    assert 0.8 <= expected < 0.95
    assert decided(spread, seeds, tests) == pytest.approx(expected, abs=0.06)


def test_images_alone_may_leave_zero_in_the_interval() -> None:
    spread = spread_with(0.3, shared=0.2, of_run=0.1, training=0.1)
    assert units_for(spread, 0.8, 1) is None
    # Also in simulation: of many seeds the images' part remains.
    expected = power_of(0.3, spread.of_units(math.inf))
    assert decided(spread, 60, 1, sweeps=300) == pytest.approx(expected, abs=0.08)


def with_errors(counts: Counts, share: float) -> Counts:
    """The same images, where this share of the true positives is missed as well."""
    return [(tp - int(share * tp), fp, fn + int(share * tp), tn) for tp, fp, fn, tn in counts]


def decision(table: SweepOnDisk) -> Decision:
    return decision_of(table.start(), table.store, {})


@pytest.fixture
def claimed(table: SweepOnDisk) -> SweepOnDisk:
    """A claim over two rows; how much more the worse one misses depends on the seed."""
    table.names, table.seeds = ("translandseg", "translandseg-7"), (0, 1, 2)
    table.comparisons = (
        Comparison(claim="better", better="translandseg", worse=("translandseg-7",)),
    )
    counts = made_up(1, 60)
    for seed in table.seeds:
        finish(table, "translandseg", seed, counts)
        finish(table, "translandseg-7", seed, with_errors(counts, 0.02 + 0.04 * seed))
    return table


def test_an_undecided_claim_takes_more_seeds_and_hours(claimed: SweepOnDisk) -> None:
    found = decision(claimed)
    (claim,) = found.claims
    (pair,) = claim.pairs
    assert (found.unit, found.tests, found.power) == ("seed", 1, 0.8)
    assert (claim.outcome, claim.units_now) == ("more", 3)
    assert claim.reproduced.startswith("cannot tell")
    assert claim.units == pair.units
    assert claim.units is not None
    assert claim.units > 3
    # Two rows, 12.5 seconds a run.
    assert claim.runs == found.runs == 2 * (claim.units - 3)
    assert claim.device_h == pytest.approx(claim.runs * 12.5 / 3600)
    assert pair.power is not None
    assert pair.power < 0.8 <= (pair.power_unlimited or 0)
    assert claim.text("seed") == f"{claim.units} seeds"
    assert "95 % intervals" in found.sentences()[-1]
    assert found.sentences()[0].startswith(f"Together: {claim.runs} more runs")


def test_a_decided_claim_takes_nothing(claimed: SweepOnDisk) -> None:
    claimed.names = (*claimed.names, "translandseg-1")
    claimed.comparisons = (
        *claimed.comparisons,
        Comparison(claim="far better", better="translandseg", worse=("translandseg-1",)),
    )
    for seed in claimed.seeds:
        finish(claimed, "translandseg-1", seed, with_errors(made_up(1, 60), 0.6))
    found = decision(claimed)
    assert [claim.outcome for claim in found.claims] == ["more", "decided"]
    assert (found.claims[1].reproduced, found.claims[1].runs) == ("holds", 0)
    assert found.runs == found.claims[0].runs
    assert found.rows()[1]["more runs"] is None


def test_one_seed_tells_nothing_of_trainings(table: SweepOnDisk) -> None:
    table.names = ("translandseg", "translandseg-7")
    table.comparisons = (
        Comparison(claim="better", better="translandseg", worse=("translandseg-7",)),
    )
    finish(table, "translandseg", 0, made_up(1, 60))
    finish(table, "translandseg-7", 0, made_up(2, 60))
    (claim,) = decision(table).claims
    assert claim.text("seed") == (
        "cannot tell: one seed tells nothing of what another training would give"
    )
    assert (claim.power_unlimited, claim.runs) == (None, 0)


def test_a_row_without_runs_leaves_its_claim_open(claimed: SweepOnDisk) -> None:
    claimed.comparisons = (
        Comparison(claim="x", better="translandseg", worse=("translandseg-7", "translandseg-2")),
    )
    (claim,) = decision(claimed).claims
    assert claim.outcome == "cannot tell"
    assert claim.reason == "translandseg-2 not run"
    assert [pair.difference is None for pair in claim.pairs] == [False, True]


def test_what_images_do_to_all_seeds_alike_is_never_decided(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg", "translandseg-7"), (0, 1, 2)
    table.comparisons = (
        Comparison(claim="better", better="translandseg", worse=("translandseg-7",)),
    )
    for seed in table.seeds:
        finish(table, "translandseg", seed, made_up(1, 60))
        finish(table, "translandseg-7", seed, with_errors(made_up(2, 60), 0.001 * seed))
    found = decision(table)
    (claim,) = found.claims
    assert claim.outcome == "not with these images"
    assert (claim.units, claim.runs, found.runs) == (None, 0, 0)
    assert claim.power_unlimited is not None
    assert claim.power_unlimited < 0.8
    share = f"{100 * claim.power_unlimited:.0f} % of sweeps at most"
    assert claim.text("seed") == f"not with these images: {share}"
    assert len(found.sentences()) == 1


def test_splits_are_counted_with_their_seeds(claimed: SweepOnDisk) -> None:
    claimed.splits, claimed.seeds = (0, 1, 2), (0, 1)
    for split in (1, 2):
        for seed in claimed.seeds:
            counts = made_up(10 * split + seed, 60)
            finish(claimed, "translandseg", seed, counts, split)
            finish(claimed, "translandseg-7", seed, with_errors(counts, 0.004 * split), split)
    found = decision(claimed)
    (claim,) = found.claims
    assert (found.unit, found.seeds_per_unit, claim.units_now) == ("split", 2, 3)
    assert claim.outcome == "more"
    assert claim.runs == 2 * 2 * ((claim.units or 0) - 3)
    assert "Counted in splits (each with 2 seeds)" in found.sentences()[-1]
