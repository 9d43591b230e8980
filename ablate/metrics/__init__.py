"""Scores from pooled confusion matrices. Imports no torch; ``confusion`` does."""

from ablate.metrics.scores import Confusion, scores

__all__ = ["Confusion", "scores"]
