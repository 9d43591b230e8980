"""Plain attention computes what the attention does that it replaces."""

import copy
from collections.abc import Callable

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention, Block
from torch import Tensor

from ablate.models import Segmenter, plain_attention
from ablate.models.attention import ExactAttention
from ablate.models.plain_attention import PlainAttention, with_plain_attention
from ablate.registry import Catalogue
from ablate.spec import SamVariant

Build = Callable[..., Segmenter]


def _variant(name: str) -> SamVariant:
    variant = Catalogue().variant(name)
    assert isinstance(variant, SamVariant)
    return variant


# Of SAM-nano at 128 pixels no block attends over many tokens; at 256 the global ones do; 144 pixels
# are nine tokens a side, which its windows of four do not divide.
@pytest.mark.parametrize("size_px", [128, 144, 256])
@pytest.mark.parametrize("name", ["translandseg", "lora", "adaptformer"])
def test_it_gives_the_same_logits(build_nano: Build, name: str, size_px: int) -> None:
    model = build_nano(_variant(name), image_size_px=size_px).eval()
    kinds = {type(module) for module in model.modules()}
    assert (ExactAttention in kinds) == (size_px == 256)
    images = torch.rand(2, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    plain = with_plain_attention(copy.deepcopy(model))
    blocks = [module for module in plain.modules() if isinstance(module, Block)]
    assert blocks
    assert all(type(block.attn) is PlainAttention for block in blocks)
    with torch.no_grad():
        expected, found = model(images), plain(images)
    # Measured: up to 5e-5 at logits of up to 100.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)


def test_heads_one_by_one_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    attention = Attention(16, num_heads=4, use_rel_pos=True, input_size=(6, 6))
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        torch.nn.init.normal_(table)
    images = torch.randn(2, 6, 6, 16)
    plain = PlainAttention(attention, 0)
    found: list[Tensor] = []
    for most in (1024, 35):
        monkeypatch.setattr(plain_attention, "_MOST_TOKENS", most)
        found.append(plain(images))
    expected = attention(images)
    for each in found:
        torch.testing.assert_close(each, expected, rtol=1e-4, atol=1e-5)
