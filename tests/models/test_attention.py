"""The attention that holds no scores computes what SAM's own computes."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ablate.models import attention
from ablate.models.adapters import insert
from ablate.models.attention import ExactAttention, replace_attention
from ablate.models.sam import sam_without_weights
from structures import STRUCTURES


def block(
    width: int, heads: int, window: int, table: tuple[int, int], *, bias: bool = True
) -> Block:
    """One of SAM's own, frozen, with values; ``table`` is the map that its tables are for."""
    made = Block(
        width, heads, qkv_bias=bias, use_rel_pos=True, window_size=window, input_size=table
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    return made.requires_grad_(False)


def exact(original: Block) -> Block:
    copied = deepcopy(original)
    copied.attn = ExactAttention(copied.attn, copied.window_size)
    copied.window_size = 0
    return copied


def output_and_gradient(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    out = module(x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=x.dtype).view_as(out)
    (out * weights).sum().backward()
    assert x.grad is not None
    return out.detach(), x.grad


sides = st.integers(1, 9)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(sides, sides),
    table=st.tuples(sides, sides),
    window=st.integers(0, 5),
    heads=st.integers(1, 3),
    images=st.integers(1, 3),
    channels=st.integers(1, 6),
    part=st.integers(1, 5000),
    double=st.booleans(),
    bias=st.booleans(),
)
def test_output_and_input_gradient_equal_sams_own(
    size: tuple[int, int],
    table: tuple[int, int],
    window: int,
    heads: int,
    images: int,
    channels: int,
    part: int,
    double: bool,
    bias: bool,
) -> None:
    torch.manual_seed(0)
    dtype, tolerance = (torch.float64, 1e-12) if double else (torch.float32, 1e-5)
    original = block(channels * heads, heads, window, table, bias=bias).to(dtype)
    x = torch.randn(images, *size, channels * heads, dtype=dtype)
    expected = output_and_gradient(original, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(attention._PLANS, "cpu", attention._Plan(part=part, fused=False))
        found = output_and_gradient(exact(original), x)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fused_way_computes_the_same(
    monkeypatch: pytest.MonkeyPatch, window: int, dtype: torch.dtype
) -> None:
    original = block(24, 2, window, (5, 7)).to(dtype)
    x = torch.randn(2, 5, 7, 24, dtype=dtype)
    expected = output_and_gradient(original, x)
    monkeypatch.setattr(attention, "_attend", attention._fused)
    torch.testing.assert_close(
        output_and_gradient(exact(original), x), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("dtype", "fused"), [(torch.bfloat16, True), (torch.float32, False)])
def test_the_table_sends_half_precision_alone_to_the_fused_kernel(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, fused: bool
) -> None:
    used: list[str] = []
    monkeypatch.setitem(attention._PLANS, "cpu", attention._Plan(part=2**20, fused=True))
    own = attention._fused
    monkeypatch.setattr(attention, "_fused", lambda *a: (used.append("fused"), own(*a))[1])
    narrow = [torch.zeros(1, 1, 6, c, dtype=dtype) for c in (8, 8, 8, 2, 3)]
    assert attention._attend(1.0, *narrow).shape == (1, 6, 1, 8)
    assert used == ["fused"] * fused
    wide = [torch.zeros(1, 1, 6, c, dtype=dtype) for c in (252, 252, 252, 2, 3)]
    assert attention._attend(1.0, *wide).shape == (1, 6, 1, 252)
    assert used == ["fused"] * fused


@pytest.mark.parametrize("part", [1, 15, 40, 80])
def test_gradients_of_all_inputs_are_right(part: int) -> None:
    torch.manual_seed(0)
    inputs = [
        torch.randn(1, 2, 6, c, dtype=torch.float64, requires_grad=True) for c in (2, 2, 2, 2, 3)
    ]
    assert torch.autograd.gradcheck(lambda *x: attention._InParts.apply(0.7, part, *x), inputs)


def test_trained_tables_would_get_sams_own_gradients() -> None:
    original = block(8, 2, 0, (4, 5))
    ours = exact(original)
    for module in (original, ours):
        module.attn.requires_grad_(True)
        output_and_gradient(module, torch.ones(1, 4, 5, 8).cumsum(2))
    for (name, expected), found in zip(
        original.attn.named_parameters(), ours.attn.parameters(), strict=True
    ):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-4, msg=name)


class _Largest(TorchDispatchMode):
    """Records the elements of the largest tensor that any operator makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.elements = max([self.elements, *(tensor.numel() for tensor in tensors)])
        return out


@pytest.mark.parametrize("window", [0, 8])
def test_no_scores_are_ever_held(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setitem(attention._PLANS, "cpu", attention._Plan(part=4096, fused=False))
    side, heads, width = 24, 2, 8
    original = block(width, heads, window, (side, side))
    x = torch.randn(1, side, side, width)
    largest = {}
    for name, module in {"SAM's": original, "ours": exact(original)}.items():
        with _Largest() as seen:
            output_and_gradient(module, x)
        largest[name] = seen.elements
    tokens = window**2 or side**2
    assert largest["SAM's"] == heads * side**2 * tokens
    # No activation is wider than the MLP's 4M, or 2H position scores for each head.
    activations = side**2 * max(4 * width, 2 * side * heads)
    assert largest["ours"] <= max(4096, activations) < largest["SAM's"]


@pytest.mark.parametrize("window", [0, 4])
def test_what_is_kept_for_the_backward_pass_grows_with_the_tokens(window: int) -> None:
    ours = exact(block(12, 3, window, (8, 8)))

    def kept(side: int) -> int:
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        x = torch.randn(1, side, side, 12, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            ours.attn(x)
        return sum(sizes.values())

    # Position scores make it grow with the side at most, once more.
    assert kept(32) <= kept(16) * (4 if window else 8)


def test_bfloat16_stays_close_to_float32() -> None:
    torch.manual_seed(0)
    original = block(32, 2, 4, (10, 10))
    x = torch.randn(2, 10, 10, 32)
    expected = output_and_gradient(original, x)
    with torch.autocast("cpu", torch.bfloat16):
        own = output_and_gradient(original, x)
        found = output_and_gradient(exact(original), x)
    for ours, sams, precise in zip(found, own, expected, strict=True):
        assert ours.dtype == sams.dtype
        assert (ours - precise).norm() <= 1.1 * (sams - precise).norm() + 1e-3 * precise.norm()


def test_it_works_in_inference_mode_after_training() -> None:
    original = block(8, 2, 3, (5, 5))
    ours = exact(original)
    x = torch.randn(1, 5, 5, 8)
    output_and_gradient(ours, x)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), original(x), rtol=1e-5, atol=1e-5)


def small_encoder(img_size: int = 224) -> ImageEncoderViT:
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=img_size,
        embed_dim=8,
        depth=2,
        num_heads=2,
        out_chans=4,
        use_rel_pos=True,
        window_size=6,
        global_attn_indexes=(1,),
    )
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.2)
    return encoder.requires_grad_(False)


def test_replacing_attention_keeps_names_and_parameters_and_spares_small_blocks() -> None:
    encoder = small_encoder()
    before = dict(encoder.named_parameters())
    replace_attention(encoder)
    after = dict(encoder.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert [type(b.attn) is ExactAttention for b in encoder.blocks] == [False, True]
    assert [b.window_size for b in encoder.blocks] == [6, 0]


def test_nano_is_left_alone_and_every_block_of_vit_l_is_not() -> None:
    for backbone, replaced in (("vit_nano", False), ("vit_l", True)):
        encoder = sam_without_weights(backbone).image_encoder
        replace_attention(encoder)
        assert {isinstance(b.attn, ExactAttention) for b in encoder.blocks} == {replaced}


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_adapters_work_on_top(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(attention, "_FEWEST_TOKENS", 0)
    plain, ours = small_encoder(), small_encoder()
    replace_attention(ours)
    assert all(isinstance(b.attn, ExactAttention) for b in ours.blocks)
    images = torch.randn(2, 3, 224, 224)
    outs = []
    for encoder in (plain, ours):
        adapted = insert(STRUCTURES[name].adapter, encoder, seed=3)
        generator = torch.Generator().manual_seed(1)
        for parameter in (p for module in adapted.adapters for p in module.parameters()):
            parameter.data.normal_(std=0.1, generator=generator)
        out = adapted.encoder(images)
        out.square().sum().backward()
        outs.append([out.detach(), *(p.grad for m in adapted.adapters for p in m.parameters())])
    for found, expected in zip(outs[1], outs[0], strict=True):
        assert (found - expected).norm() <= 1e-4 * expected.norm() + 1e-6
