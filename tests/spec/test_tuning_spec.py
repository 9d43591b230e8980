"""What a sweep says to tune: its rules."""

from typing import Any

import pytest
from pydantic import ValidationError

from ablate.registry import Catalogue
from ablate.spec import Domain, Tuning
from ablate.study.settings import Settings


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({}, "give low and high, or choices"),
        ({"low": 1}, "give low and high, or choices"),
        ({"low": 2, "high": 2}, "low 2 is not below high 2"),
        ({"low": 0, "high": 1, "log": True}, "low 0 has no logarithm"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "step goes with equal differences"),
        ({"low": 0, "high": 1, "step": 2}, "step 2 is longer than the range"),
        ({"low": 0, "high": 1, "step": 0}, "greater than 0"),
        ({"low": 0.0, "high": float("inf")}, "must be finite"),
        ({"choices": (4,)}, "one choice, 4, leaves nothing to tune"),
        ({"choices": (4, 8, 4)}, "choices lists 4 twice"),
        ({"choices": (4, 8), "low": 1}, "choices go without low, high, log and step"),
    ],
)
def test_a_domain_is_a_range_or_choices(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Domain(**fields)


def test_domains_describe_themselves() -> None:
    assert Domain(low=1e-4, high=0.01, log=True).describe() == "0.0001 to 0.01 (log)"
    assert Domain(low=4, high=64, step=4).describe() == "4 to 64 (in steps of 4)"
    assert Domain(choices=(4, 8, 16)).describe() == "4 | 8 | 16"


def test_a_tuning_has_a_space() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        Tuning(space={})


def shipped() -> list[str]:
    catalogue = Catalogue()
    return [name for name in catalogue.sweep_files if catalogue.sweep(name).tune is not None]


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("protocol", ["demo", "nano", "paper"])
def test_every_space_that_ships_fits_every_protocol(name: str, protocol: str) -> None:
    catalogue = Catalogue()
    sweep, recipe = catalogue.sweep(name), catalogue.protocol(protocol)
    rows = catalogue.rows(sweep, recipe.backbone)
    assert sweep.tune is not None
    Settings(catalogue, recipe, rows, sweep.tune).check()


def test_table4_can_be_tuned() -> None:
    assert "table4" in shipped()
