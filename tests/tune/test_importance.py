"""PED-ANOVA's importances on made-up numbers."""

import itertools
import subprocess
import sys

import pytest

from ablate.tune.importance import best_of, importances

LEVELS = [
    {"decisive": a, "idle": b} for a, b, _ in itertools.product("xyz", ("on", "off"), range(5))
]
VALUES = [80.0 + 5 * (each["decisive"] == "y") + 0.01 * (n % 5) for n, each in enumerate(LEVELS)]


def test_the_factor_that_decides_has_the_larger_share() -> None:
    shares = importances(LEVELS, VALUES)
    assert shares is not None
    assert list(shares) == ["decisive", "idle"]
    assert shares["decisive"] > 0.6
    assert sum(shares.values()) == pytest.approx(1)


def test_high_values_are_the_good_ones() -> None:
    """A factor that only tells the worst runs apart is not important."""
    levels = [each | {"harmful": "yes" if n % 6 == 0 else "no"} for n, each in enumerate(LEVELS)]
    values = [
        value - 50 * (each["harmful"] == "yes") for each, value in zip(levels, VALUES, strict=True)
    ]
    shares = importances(levels, values)
    assert shares is not None
    assert shares["decisive"] > shares["harmful"]


def test_too_few_or_equal_runs_tell_nothing() -> None:
    assert importances(LEVELS[:9], VALUES[:9]) is None
    assert importances(LEVELS, [80.0] * len(LEVELS)) is None


@pytest.mark.parametrize(("runs", "best"), [(9, None), (10, 5), (40, 5), (60, 6), (200, 20)])
def test_how_many_runs_count_as_the_best(runs: int, best: int | None) -> None:
    assert best_of(runs) == best


def test_the_module_loads_optuna_only_when_it_is_used() -> None:
    program = "import ablate.tune.importance, sys; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
