"""AdaptFormer, SSF and bottlenecks: their equations, starts, counts, files and merging."""

import pytest
import torch
from nano_helpers import Build, backward, scatter
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.errors import BadInput, WeightsError
from ablate.models import can_stack, count, merged, parts_of
from ablate.models.attention import ExactAttention
from ablate.models.block_adapters import (
    AdaptFormerBlock,
    Branch,
    MixedBlock,
    Modulated,
    ParallelBlock,
    ScaleShift,
    SeriesBlock,
)
from ablate.models.preflight import vacuous
from ablate.spec import BottleneckAdapter
from other_variants import IN_BLOCKS, adapted
from structures import DECODER_ONLY

M, WIDTH = 12, 5


def scattered(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    return module.double()


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 4, 4, M, dtype=torch.float64, generator=generator)


def block() -> Block:
    made = scattered(Block(M, 3, use_rel_pos=True, window_size=0, input_size=(4, 4)))
    assert isinstance(made, Block)
    return made


def by_hand(branch: Branch, x: Tensor, activation: object) -> Tensor:
    assert callable(activation)
    hidden = activation(x @ branch.down.weight.T + branch.down.bias)
    out: Tensor = hidden @ branch.up.weight.T + branch.up.bias
    return out


def test_adaptformer_is_its_papers_equation() -> None:
    sams, branch = block(), Branch(M, WIDTH, nn.ReLU(), scale=0.1)
    scattered(branch)
    x = tokens()
    x1 = sams.attn(sams.norm1(x)) + x
    normal = sams.norm2(x1)
    expected = sams.mlp(normal) + 0.1 * by_hand(branch, normal, F.relu) + x1
    torch.testing.assert_close(AdaptFormerBlock(sams, branch)(x), expected)


def test_bottlenecks_are_in_series_before_each_sum() -> None:
    sams, (first, second), x = block(), _two_branches(), tokens()
    attended = sams.attn(sams.norm1(x))
    x1 = attended + by_hand(first, attended, F.gelu) + x
    widened = sams.mlp(sams.norm2(x1))
    expected = widened + by_hand(second, widened, F.gelu) + x1
    torch.testing.assert_close(SeriesBlock(sams, first, second)(x), expected)


def _two_branches() -> tuple[Branch, Branch]:
    first, second = (Branch(M, WIDTH, nn.GELU()) for _ in range(2))
    scattered(first)
    scattered(second)
    with torch.no_grad():
        second.up.weight.neg_()
    return first, second


def test_bottlenecks_in_parallel_see_what_attention_and_mlp_see() -> None:
    sams, (first, second), x = block(), _two_branches(), tokens()
    normal = sams.norm1(x)
    x1 = sams.attn(normal) + by_hand(first, normal, F.gelu) + x
    normal = sams.norm2(x1)
    expected = sams.mlp(normal) + by_hand(second, normal, F.gelu) + x1
    torch.testing.assert_close(ParallelBlock(sams, first, second)(x), expected)


def test_mixed_bottlenecks_are_in_series_and_then_in_parallel() -> None:
    sams, (first, second), x = block(), _two_branches(), tokens()
    attended = sams.attn(sams.norm1(x))
    x1 = attended + by_hand(first, attended, F.gelu) + x
    normal = sams.norm2(x1)
    expected = sams.mlp(normal) + by_hand(second, normal, F.gelu) + x1
    torch.testing.assert_close(MixedBlock(sams, first, second)(x), expected)


def test_an_arrangement_changes_the_key_and_series_leaves_older_keys_as_they_were() -> None:
    adapters = [
        BottleneckAdapter(kind="bottleneck", width=8, arrangement=each)
        for each in ("series", "parallel", "mixed")
    ]
    identities = [each.identity() for each in adapters]
    assert identities[0] == {"kind": "bottleneck", "width": 8, "sites": "all"}
    assert [each.get("arrangement") for each in identities[1:]] == ["parallel", "mixed"]
    assert [each.describe() for each in adapters] == [
        "bottlenecks after attention and MLP, width 8",
        "bottlenecks beside attention and MLP, width 8",
        "bottlenecks after attention and beside MLP, width 8",
    ]


@pytest.mark.parametrize("layer", [nn.Linear(M, 7), nn.LayerNorm(M)], ids=["linear", "norm"])
def test_a_layer_is_scaled_and_shifted_and_merged(layer: nn.Module) -> None:
    modulated = Modulated(layer, ScaleShift(layer.bias.shape[0]))
    scattered(modulated)
    x, ssf = tokens(), modulated.ssf
    expected = layer(x) * ssf.scale + ssf.shift
    torch.testing.assert_close(modulated(x), expected)
    torch.testing.assert_close(modulated.merged()(x), expected)


@pytest.mark.parametrize("kind", IN_BLOCKS)
def test_every_kind_starts_as_sam_bit_for_bit(build_nano: Build, images: Tensor, kind: str) -> None:
    with torch.no_grad():
        sams = build_nano(DECODER_ONLY)(images)
        assert torch.equal(build_nano(IN_BLOCKS[kind])(images), sams)


def test_no_kind_is_vacuous() -> None:
    late = {
        f"late {kind}": adapted(
            variant.adapter.model_dump(mode="json") | {"sites": "late"}, ["adapter", "mask_decoder"]
        )
        for kind, variant in IN_BLOCKS.items()
    }
    assert vacuous(IN_BLOCKS | late) == []


@pytest.mark.parametrize(
    ("kind", "sites", "each"),
    [
        ("adaptformer", 24, 2 * 1024 * 8 + 8 + 1024),
        ("bottleneck", 48, 2 * 1024 * 8 + 8 + 1024),
        ("parallel", 48, 2 * 1024 * 8 + 8 + 1024),
        ("mixed", 48, 2 * 1024 * 8 + 8 + 1024),
        # Factors and shifts after two norms, qkv, the projection and both layers of the MLP: six
        # sites in each block, of 11·M channels together.
        ("ssf", 144, 2 * 11 * 1024 / 6),
    ],
)
def test_parameters_are_those_of_the_formula(kind: str, sites: int, each: float) -> None:
    counted = count(IN_BLOCKS[kind], "vit_l")
    expected = round(sites * each)
    assert (counted.adapter, counted.sites) == (expected, sites)
    assert counted.trainable == expected + 4_058_340
    assert counted.total == 308_278_272 + counted.trainable


@pytest.mark.parametrize("kind", IN_BLOCKS)
def test_saved_weights_give_equal_outputs_under_strict_names(
    build_nano: Build, images: Tensor, kind: str
) -> None:
    model, again = build_nano(IN_BLOCKS[kind]), build_nano(IN_BLOCKS[kind])
    scatter(model)
    assert not torch.equal(again(images), model(images))
    again.load_trainable_state(model.trainable_state())
    assert torch.equal(again(images), model(images))
    with pytest.raises(WeightsError, match="missing"):
        again.load_trainable_state({})


@pytest.mark.parametrize("kind", IN_BLOCKS)
def test_every_parameter_of_an_adapter_is_trained_and_the_encoder_is_not(
    build_nano: Build, images: Tensor, kind: str
) -> None:
    model = build_nano(IN_BLOCKS[kind])
    scatter(model)
    backward(model, images)
    own = {value for adapter in model.adapters for value in adapter.parameters()}
    assert all(value.grad is not None and value.grad.any() for value in own)
    frozen = set(model.image_encoder.parameters()) - own
    assert all(value.grad is None for value in frozen)
    assert not can_stack(model)


def test_ssf_is_merged_into_sams_own_modules(build_nano: Build, images: Tensor) -> None:
    model = build_nano(IN_BLOCKS["ssf"])
    with torch.no_grad():
        for adapter in model.adapters:
            for value in adapter.parameters():
                value.add_(0.05 * torch.randn(value.shape))
        before = model(images)
        plain = merged(model)
        torch.testing.assert_close(plain(images), before, rtol=1e-3, atol=1e-3)
    assert can_stack(plain)
    for kind in ("adaptformer", "bottleneck", "parallel", "mixed"):
        with pytest.raises(BadInput, match="cannot be put into a weight of SAM"):
            merged(build_nano(IN_BLOCKS[kind]))


def test_scaled_projections_fill_up_windows_as_sams_own_attention_does() -> None:
    sams = Block(96, 3, use_rel_pos=True, window_size=14, input_size=(16, 16))
    for value in sams.parameters():
        nn.init.normal_(value, std=0.05)
    sams.attn.qkv = Modulated(sams.attn.qkv, ScaleShift(288))
    nn.init.normal_(sams.attn.qkv.ssf.shift)
    x = torch.randn(1, 16, 16, 96)
    expected = sams(x)
    sams.attn = ExactAttention(sams.attn, 14)
    sams.window_size = 0
    torch.testing.assert_close(sams(x), expected, rtol=1e-5, atol=1e-5)


def test_where_they_sit_is_shown() -> None:
    def places(kind: str) -> list[tuple[str, str]]:
        model = parts_of(IN_BLOCKS[kind], "vit_l")
        (adapters,) = (part for part in model.parts if part.name.startswith("adapters at"))
        return [(part.name, part.module) for part in adapters.parts]

    assert places("adaptformer") == [("beside the MLP", "24 × Branch")]
    assert places("bottleneck") == [("after attention and MLP", "48 × Branch")]
    assert places("parallel") == [("beside attention and MLP", "48 × Branch")]
    assert places("mixed") == [("after attention and beside MLP", "48 × Branch")]
    assert places("ssf") == [
        ("in Block", "96 × ScaleShift"),
        ("in Block", "24 × ScaleShift"),
        ("in Block", "24 × ScaleShift"),
    ]
