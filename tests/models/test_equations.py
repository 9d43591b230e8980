"""The paper's equations, computed by hand in float64, against the built encoders."""

import pytest
import torch
from encoder_by_hand import encode
from nano_helpers import Build, scatter
from torch import Tensor

from ablate.spec import BACKBONES, AtlAdapter
from structures import STRUCTURES


# 96 px: six tokens a side, so that the windows of four are padded and the tables interpolated.
@pytest.mark.parametrize("image_size_px", [128, 96])
@pytest.mark.parametrize("name", STRUCTURES)
def test_the_encoder_computes_the_papers_equations(
    build_nano: Build, images: Tensor, name: str, image_size_px: int
) -> None:
    variant = STRUCTURES[name]
    assert isinstance(variant.adapter, AtlAdapter)
    model = build_nano(variant, image_size_px=image_size_px).double()
    scatter(model)
    images = images[:2, :, :image_size_px, :image_size_px].double()
    tensors = {name: value.detach() for name, value in model.image_encoder.named_parameters()}
    with torch.no_grad():
        built = model.image_encoder(images)
    by_hand = encode(tensors, variant.adapter, BACKBONES["vit_nano"], images)
    torch.testing.assert_close(built, by_hand, rtol=1e-8, atol=1e-8)
