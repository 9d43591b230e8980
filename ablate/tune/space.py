"""The space of settings, as Optuna has it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from ablate.runs import Setting
from ablate.spec import Domain, Scalar

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# A learning rate of four digits is as good as one of seventeen, and can be typed.
_DIGITS = 4

# Dotted field → its values, and whether the field takes whole numbers.
Space = Mapping[str, tuple[Domain, bool]]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna draws from, by field."""
    return {name: _distribution(domain, whole) for name, (domain, whole) in space.items()}


def _distribution(domain: Domain, is_whole: bool) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if domain.choices:
        return CategoricalDistribution(domain.choices)
    low, high = _ends(domain)
    if is_whole:
        return IntDistribution(int(low), int(high), log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(low, high, log=domain.log, step=domain.step)


def _ends(domain: Domain) -> tuple[float, float]:
    """The ends of a range; the upper one is a value that its steps reach."""
    assert domain.low is not None
    assert domain.high is not None
    low, high = domain.low, domain.high
    if domain.step is not None:
        # In decimals: 0.3 is three steps of 0.1, though not in binary.
        first, last, step = (Decimal(str(value)) for value in (low, high, domain.step))
        high = float(first + (last - first) // step * step)
    return low, high


def rounded(space: Space, drawn: Mapping[str, Scalar]) -> Setting:
    """A setting as it is used and recorded: real numbers have four digits."""
    return {name: _rounded(*space[name], drawn[name]) for name in space}


def _rounded(domain: Domain, is_whole: bool, value: Scalar) -> Scalar:
    if domain.choices or is_whole:
        return value
    assert isinstance(value, int | float)
    low, high = _ends(domain)
    if domain.step is not None:
        # In decimals: a sampler that computes in a unit interval comes near a step, not onto it.
        first, step = Decimal(str(low)), Decimal(str(domain.step))
        return float(first + round((Decimal(str(value)) - first) / step) * step)
    # Rounding must not lead out of the range, whose ends may have more digits.
    return min(max(float(f"{value:.{_DIGITS}g}"), float(low)), float(high))
