"""Proposes settings and remembers what came of them, by Optuna. Loads optuna when it is used."""

from ablate.tune.samplers import SAMPLERS, Attempt, Sampler, find_sampler

__all__ = ["SAMPLERS", "Attempt", "Sampler", "find_sampler"]
