"""Asks Optuna's samplers for settings. Loads optuna."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ablate.runs import Setting
from ablate.tune.space import Space, distributions, rounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ablate.tune.samplers import Attempt


def sequence(sampler: BaseSampler, space: Space, count: int) -> list[Setting]:
    """The first settings of a sampler that looks at no outcome."""
    drawn = distributions(space)
    with quiet():
        study = optuna.create_study(direction="maximize", sampler=sampler)
        # Of a study without any finished trial the sampler does not know the space yet, and would
        # draw the first setting at random.
        study.add_trial(
            _known({name: domain.values[0] for name, (domain, _) in space.items()}, 0.0, drawn)
        )
        return [rounded(space, study.ask(drawn).params) for _ in range(count)]


def following(sampler: BaseSampler, space: Space, attempts: "Sequence[Attempt]") -> Setting:
    """The setting that a sampler proposes after these trials."""
    drawn = distributions(space)
    with quiet():
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([_known(each.setting, each.value, drawn) for each in attempts])
        return rounded(space, study.ask(drawn).params)


def _known(
    setting: Setting, value: float | None, drawn: dict[str, BaseDistribution]
) -> FrozenTrial:
    return create_trial(
        state=TrialState.FAIL if value is None else TrialState.COMPLETE,
        value=value,
        params={name: setting[name] for name in drawn},
        distributions=drawn,
    )


@contextmanager
def quiet() -> "Iterator[None]":
    """While this is open, Optuna prints nothing."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
