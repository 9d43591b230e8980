"""How every metric is computed from pooled pixels, as text; ``scores`` computes it."""

from ablate.spec import MetricName

_P, _N = "TP / (TP + FP)", "TN / (TN + FN)"
_R, _S = "TP / (TP + FN)", "TN / (TN + FP)"
_PRECISION, _RECALL = f"({_P} + {_N}) / 2", f"({_R} + {_S}) / 2"
_POSITIVE_IOU = "TP / (TP + FP + FN)"


def _harmonic_mean(a: str, b: str) -> str:
    return f"2 * ({a}) * ({b}) / (({a}) + ({b}))"


FORMULAS: dict[MetricName, str] = {
    "precision": _PRECISION,
    "recall": _RECALL,
    "f1": _harmonic_mean(_PRECISION, _RECALL),
    "overall_accuracy": "(TP + TN) / (TP + FP + FN + TN)",
    "miou": f"({_POSITIVE_IOU} + TN / (TN + FP + FN)) / 2",
    "positive_iou": _POSITIVE_IOU,
    "positive_precision": _P,
    "positive_recall": _R,
    "positive_f1": _harmonic_mean(_P, _R),
}
"""Fractions; a quotient 0 / 0 is 0."""

MASK_FORMULAS: dict[MetricName, str] = {
    "boundary_iou": "boundary pixels of both masks / boundary pixels of either",
    "small_object_recall": "small objects found / small objects",
}
"""Of the metrics that a task may name besides."""
