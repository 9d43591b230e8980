import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import ColorJitter as Reference
from torchvision.transforms.v2 import functional

from ablate.data import jitter
from ablate.spec import ColorJitter

PAPER = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)


def drawn(ranges: ColorJitter, seed: int) -> jitter.Steps:
    numbers = np.random.default_rng(seed).random(jitter.NUMBERS)
    return jitter.choose(ranges, numbers.tolist())


def picture(seed: int = 0, size: int = 24) -> torch.Tensor:
    """Noise with many equal channels, black, white and pure colours."""
    levels = np.random.default_rng(seed).choice([0, 0, 1, 100, 101, 254, 255], (3, size, size))
    return torch.from_numpy(levels.astype(np.float32) / 255)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_jitter_is_torchvisions_for_the_drawn_factors(seed: int) -> None:
    steps = drawn(PAPER, seed)
    expected = picture(seed)
    for name, factor in steps:
        expected = getattr(functional, f"adjust_{name}")(expected, factor)
    jittered = jitter.apply(picture(seed), steps)
    torch.testing.assert_close(jittered, expected, rtol=0, atol=1e-4)
    assert 0 <= jittered.min() <= jittered.max() <= 1


def test_factors_fill_the_ranges_of_torchvision() -> None:
    ranges = ColorJitter(brightness=0.4, contrast=1.5, saturation=0.2, hue=0.1)
    reference = Reference(brightness=0.4, contrast=1.5, saturation=0.2, hue=0.1)
    draws = [drawn(ranges, seed) for seed in range(400)]
    for name in ("brightness", "contrast", "saturation", "hue"):
        low, high = getattr(reference, name)
        factors = [dict(steps)[name] for steps in draws]
        assert low <= min(factors) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(factors) <= high
        assert abs(np.mean(factors) - (low + high) / 2) < 0.05 * (high - low)
    orders = {tuple(name for name, _ in steps) for steps in draws}
    assert len(orders) == 24


def test_an_operation_without_range_is_left_out_and_the_others_stay() -> None:
    without = PAPER.model_copy(update={"hue": 0.0, "contrast": 0.0})
    for seed in range(20):
        every = drawn(PAPER, seed)
        some = drawn(without, seed)
        assert some == [step for step in every if step[0] in ("brightness", "saturation")]


def test_the_image_itself_is_left_alone() -> None:
    image = picture()
    jitter.apply(image, [("hue", 0.1), ("brightness", 0.7), ("contrast", 1.3), ("saturation", 0.5)])
    torch.testing.assert_close(image, picture(), rtol=0, atol=0)
