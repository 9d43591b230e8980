"""SAM's fused projection and its three parts compute the same."""

from copy import deepcopy

import pytest
import torch
from nano_helpers import Build
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn

from ablate.models.attention import ExactAttention
from ablate.models.projections import SplitProjection
from structures import DECODER_ONLY


def block(width: int, window: int) -> Block:
    torch.manual_seed(0)
    made = Block(width, width // 32, use_rel_pos=True, window_size=window, input_size=(16, 16))
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.05)
    return made.requires_grad_(False)


@pytest.mark.parametrize("width", [96, 768, 1024])
@pytest.mark.parametrize("window", [4, 14, 0])
def test_a_block_is_equal_bit_for_bit(width: int, window: int) -> None:
    fused = block(width, window)
    split = deepcopy(fused)
    split.attn.qkv = SplitProjection(split.attn.qkv)
    tokens = torch.randn(2, 16, 16, width)
    assert torch.equal(split(tokens), fused(tokens))


@pytest.mark.parametrize("window", [14, 0])
def test_so_is_the_attention_that_training_uses(window: int) -> None:
    fused = block(768, window)
    fused.attn = ExactAttention(fused.attn, window)
    fused.window_size = 0
    split = deepcopy(fused)
    split.attn.qkv = SplitProjection(split.attn.qkv)
    # 16 rows in windows of 14: what fills them up is the projection of zeros.
    tokens = torch.randn(1, 16, 16, 768)
    assert torch.equal(split(tokens), fused(tokens))


def test_windows_are_filled_up_with_what_the_layers_make_of_zeros() -> None:
    """As SAM's own attention does, which projects the zeros that it fills up with."""
    sams = block(96, 14)
    sams.attn.qkv = SplitProjection(sams.attn.qkv)
    # An adapter may scale the bias too.
    sams.attn.qkv.v = nn.Sequential(sams.attn.qkv.v, nn.Threshold(0.1, -2.0))
    exact = deepcopy(sams)
    exact.attn = ExactAttention(exact.attn, 14)
    exact.window_size = 0
    tokens = torch.randn(1, 16, 16, 96)
    torch.testing.assert_close(exact(tokens), sams(tokens), rtol=1e-5, atol=1e-5)


def test_the_encoder_is_equal_bit_for_bit(build_nano: Build, images: Tensor) -> None:
    fused, split = build_nano(DECODER_ONLY), build_nano(DECODER_ONLY)
    for each in split.image_encoder.blocks:
        each.attn.qkv = SplitProjection(each.attn.qkv)
    assert torch.equal(split(images), fused(images))


def test_values_are_shared_and_not_copied() -> None:
    fused = nn.Linear(6, 18)
    split = SplitProjection(fused)
    assert split.q.weight.data_ptr() == fused.weight.data_ptr()
    assert not any(value.requires_grad for value in split.parameters())
    together = split.fused()
    assert torch.equal(together.weight, fused.weight)
    assert torch.equal(together.bias, fused.bias)
    assert together.weight.data_ptr() != fused.weight.data_ptr()
