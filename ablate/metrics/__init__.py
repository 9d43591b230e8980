"""Scores from pooled confusion matrices. Imports no torch; ``confusion`` does."""

from ablate.metrics.scores import METRIC_NAMES, Confusion, scores

__all__ = ["METRIC_NAMES", "Confusion", "scores"]
