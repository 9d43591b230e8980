"""The attention of small maps against SAM's own, forward and backward."""

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention

from ablate.models.small_attention import SmallAttention, positions


def sams(height: int, width: int, dtype: torch.dtype) -> Attention:
    generator = torch.Generator().manual_seed(3)
    attention = Attention(12, num_heads=3, use_rel_pos=True, input_size=(height, width)).to(dtype)
    with torch.no_grad():
        for value in attention.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) / 3)
    return attention.requires_grad_(False)


def ours(attention: Attention, x: torch.Tensor, variants: int) -> torch.Tensor:
    table = positions(attention, *x.shape[1:3])
    qkv = attention.qkv(x).flatten(1, 2)
    scale, heads = attention.scale, attention.num_heads
    attended = SmallAttention.apply(qkv, table, scale, heads, variants)
    return attention.proj(attended.view(x.shape))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 8), (3, 5)])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.bfloat16, 0.05)])
def test_outputs_and_gradients_are_sams(
    height: int, width: int, dtype: torch.dtype, close: float
) -> None:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(6, height, width, 12, generator=generator, dtype=torch.float64)
    weight = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    found = {}
    for name, variants in (("sams", 0), ("ours", 3), ("ours, one variant", 1)):
        kind = torch.float64 if name == "sams" else dtype
        attention, leaf = sams(height, width, kind), x.to(kind).detach().requires_grad_()
        out = ours(attention, leaf, variants) if variants else attention(leaf)
        (out * weight.to(kind)).sum().backward()
        found[name] = out.detach().double(), leaf.grad.double()
    for name in ("ours", "ours, one variant"):
        for this, expected in zip(found[name], found["sams"], strict=True):
            assert (this - expected).abs().max() <= close * expected.abs().max()


def test_the_gradient_is_the_derivative() -> None:
    attention = sams(2, 3, torch.float64)
    x = torch.randn(2, 2, 3, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ours(attention, x, 2), x.requires_grad_())
