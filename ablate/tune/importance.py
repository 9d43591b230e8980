"""How strongly the best runs prefer some levels of a factor: PED-ANOVA. Loads optuna when used."""

import math
from collections.abc import Mapping, Sequence

# Below it, which runs are the best is chance; Optuna's documentation names this number.
MIN_BEST = 5
# Optuna's default: the best tenth.
_BEST_SHARE = 0.1


def best_of(runs: int) -> int | None:
    """How many of so many runs count as the best; None if there are too few to tell."""
    best = max(MIN_BEST, math.ceil(_BEST_SHARE * runs))
    return best if runs >= 2 * MIN_BEST else None


def importances(
    levels: Sequence[Mapping[str, str]], values: Sequence[float]
) -> dict[str, float] | None:
    """The share of each factor by PED-ANOVA (Watanabe et al., arXiv:2304.10255).

    It compares how often the best runs have each level with how often all runs have it. Every run
    counts as one trial, seeds as trials of their own.

    Args:
        levels: The level of each factor in every run; all runs have the same factors.
        values: What is to be high, for every run.

    Returns:
        By factor, adding up to 1; None if there are too few runs, or all are equally good.
    """
    best = best_of(len(values))
    if best is None or len(set(values)) == 1:
        return None
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    space: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(sorted({each[name] for each in levels})) for name in levels[0]
    }
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.create_trial(params=dict(each), distributions=space, value=value)
                for each, value in zip(levels, values, strict=True)
            ]
        )
        # Written out: the default has changed between versions. A little below the exact share,
        # of which rounding up would make one run more.
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(
            target_quantile=(best - 0.5) / len(values)
        )
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {name: found[name] for name in levels[0]}
