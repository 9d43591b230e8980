"""Models of SAM-nano and CNN baselines for the tests of this room."""

import pytest
import torch
from cnn_helpers import CNNS
from nano_helpers import Build
from torch import Tensor

from ablate.models import Cnn, Segmenter, build, build_cnn, load_weights
from ablate.spec import SamVariant


@pytest.fixture(scope="session")
def nano_weights() -> dict[str, Tensor]:
    return load_weights("vit_nano", None)


@pytest.fixture
def build_nano(nano_weights: dict[str, Tensor]) -> Build:
    def build_it(variant: SamVariant, *, image_size_px: int = 128, seed: int = 0) -> Segmenter:
        return build(
            variant, "vit_nano", image_size_px=image_size_px, weights=nano_weights, seed=seed
        )

    return build_it


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def built() -> dict[str, Cnn]:
    """One CNN baseline of each kind, in training mode; tests that change one take a copy."""
    return {name: build_cnn(variant, None, seed=3) for name, variant in CNNS.items()}
