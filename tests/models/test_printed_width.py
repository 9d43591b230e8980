"""The width d that the paper does not state."""

import pytest

from ablate.models import count
from structures import structure


@pytest.mark.parametrize("width", [1, 2, 3])
def test_only_width_2_rounds_to_the_printed_trained_parameters(width: int) -> None:
    """More width is more parameters: no other width can fit."""
    variant = structure(("m",), "outside", residual=True, width=width)
    assert (round(count(variant, "vit_l").trainable / 1e6, 2) == 4.18) == (width == 2)
