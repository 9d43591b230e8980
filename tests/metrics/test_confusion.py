import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from ablate.metrics import Confusion
from ablate.metrics.confusion import confusion_per_image


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), batch=st.integers(1, 4), side=st.integers(1, 9))
def test_counts_are_scikit_learns_for_each_image(seed: int, batch: int, side: int) -> None:
    numbers = np.random.default_rng(seed)
    logits = numbers.normal(size=(batch, 1, side, side + 1)).astype(np.float32)
    masks = numbers.integers(0, 2, logits.shape).astype(np.float32)
    counted = confusion_per_image(torch.from_numpy(logits), torch.from_numpy(masks))
    assert len(counted) == batch
    for image, cells in enumerate(counted):
        tn, fp, fn, tp = confusion_matrix(
            masks[image].ravel(), logits[image].ravel() > 0, labels=[0, 1]
        ).ravel()
        assert cells == Confusion(tp=tp, fp=fp, fn=fn, tn=tn)


def test_the_threshold_is_half_and_excludes_itself() -> None:
    logits = torch.tensor([0.0, 1e-6, -1e-6, float("nan")]).view(1, 1, 2, 2)
    [cells] = confusion_per_image(logits, torch.ones(1, 1, 2, 2))
    assert cells == Confusion(tp=1, fp=0, fn=3, tn=0)
    assert type(cells.tp) is int


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.6, 0.9])
def test_the_threshold_is_a_probability(threshold: float) -> None:
    logits = torch.linspace(-4, 4, 64).view(1, 1, 8, 8)
    [cells] = confusion_per_image(logits, torch.ones(1, 1, 8, 8), threshold)
    assert cells.tp == int((torch.sigmoid(logits) > threshold).sum())
    assert cells.tp + cells.fn == 64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_logits_of_any_precision(dtype: torch.dtype) -> None:
    logits = torch.tensor([[3.0, -3.0], [3.0, -3.0]], dtype=dtype).view(1, 1, 2, 2)
    masks = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert confusion_per_image(logits, masks) == [Confusion(1, 1, 1, 1)]


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r"logits have shape \(2, 1, 4, 4\), masks \(2, 4, 4\)"):
        confusion_per_image(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4))
