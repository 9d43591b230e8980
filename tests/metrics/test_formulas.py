"""The formulas that are printed are those that are computed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.metrics import Confusion, scores
from ablate.metrics.formulas import FORMULAS
from ablate.spec import METRIC_NAMES

PIXELS = st.integers(min_value=1, max_value=10**9)


def test_every_metric_has_one() -> None:
    assert tuple(FORMULAS) == METRIC_NAMES


@given(PIXELS, PIXELS, PIXELS, PIXELS)
def test_they_give_the_scores(tp: int, fp: int, fn: int, tn: int) -> None:
    computed = scores(Confusion(tp, fp, fn, tn))
    for metric, formula in FORMULAS.items():
        value = eval(formula, {"TP": tp, "FP": fp, "FN": fn, "TN": tn})
        assert value == pytest.approx(computed[metric], rel=1e-12)
