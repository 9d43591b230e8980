import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)

from ablate.metrics import Confusion, scores
from ablate.spec import METRIC_NAMES

PAPER = Path(__file__).parents[2].parent / "shared/paper"
COUNTS = st.integers(0, 30)
CONFUSIONS = st.builds(Confusion, tp=COUNTS, fp=COUNTS, fn=COUNTS, tn=COUNTS)


@settings(max_examples=40, deadline=None)
@given(CONFUSIONS.filter(lambda cells: cells != Confusion.none()))
def test_scores_are_scikit_learns(cells: Confusion) -> None:
    counts = (cells.tp, cells.fp, cells.fn, cells.tn)
    ground_truth = np.repeat([1, 0, 1, 0], counts)
    predicted = np.repeat([1, 1, 0, 0], counts)
    both = {"labels": [0, 1], "zero_division": 0}
    precision = precision_score(ground_truth, predicted, average="macro", **both)
    recall = recall_score(ground_truth, predicted, average="macro", **both)
    positive = {"pos_label": 1, "zero_division": 0}
    expected = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0,
        "overall_accuracy": accuracy_score(ground_truth, predicted),
        "miou": jaccard_score(ground_truth, predicted, average="macro", **both),
        "positive_iou": jaccard_score(ground_truth, predicted, **positive),
        "positive_precision": precision_score(ground_truth, predicted, **positive),
        "positive_recall": recall_score(ground_truth, predicted, **positive),
        "positive_f1": f1_score(ground_truth, predicted, **positive),
    }
    assert scores(cells) == pytest.approx(expected, abs=1e-12)


@given(CONFUSIONS)
def test_every_score_is_named_and_a_fraction(cells: Confusion) -> None:
    values = scores(cells)
    assert tuple(values) == METRIC_NAMES
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in values.values())


def test_no_pixels_score_nothing() -> None:
    assert set(scores(Confusion.none()).values()) == {0.0}


def test_a_class_absent_from_ground_truth_and_prediction_counts_as_zero() -> None:
    values = scores(Confusion(tp=0, fp=0, fn=0, tn=9))
    assert values["overall_accuracy"] == 1
    assert values["miou"] == values["precision"] == 0.5
    assert values["positive_iou"] == 0


@given(CONFUSIONS, CONFUSIONS)
def test_pooling_adds_pixels(some: Confusion, others: Confusion) -> None:
    pooled = sum([some, others], Confusion.none())
    assert (pooled.tp, pooled.fp) == (some.tp + others.tp, some.fp + others.fp)
    assert (pooled.fn, pooled.tn) == (some.fn + others.fn, some.tn + others.tn)


def test_the_papers_headline_row_under_both_conventions() -> None:
    # TransLandSeg on Bijie: 10.05 % of the pixels are positive, as in every row.
    values = scores(Confusion(tp=89_244, fp=12_749, fn=11_256, tn=886_751))
    percent = {name: 100 * value for name, value in values.items()}
    published = {
        "precision": 93.14,
        "recall": 93.69,
        "f1": 93.41,
        "overall_accuracy": 97.60,
        "miou": 88.10,
        "positive_iou": 78.83,
    }
    for name, value in published.items():
        assert percent[name] == pytest.approx(value, abs=0.03), name
    assert percent["positive_precision"] == pytest.approx(87.5, abs=0.05)
    assert percent["positive_recall"] == pytest.approx(88.8, abs=0.05)
    assert percent["positive_f1"] == pytest.approx(88.2, abs=0.1)


def test_every_published_f1_is_the_harmonic_mean_of_its_row() -> None:
    if not PAPER.is_dir():
        pytest.skip(f"the paper's tables are not at {PAPER}")
    rows = [
        {name: float(row[name]) for name in ("precision", "recall", "f1")}
        for path in sorted(PAPER.glob("table*.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if "f1" in row
    ]
    assert len(rows) == 19
    for row in rows:
        harmonic = 2 * row["precision"] * row["recall"] / (row["precision"] + row["recall"])
        assert row["f1"] == pytest.approx(harmonic, abs=0.006), row
