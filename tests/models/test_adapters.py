"""What an adapter is, where it sits, and how it starts."""

import pytest
import torch
from nano_helpers import Build, scatter, widened
from segment_anything.modeling.image_encoder import Block
from torch import Tensor, nn

from ablate.models.adapters import Atl, InsideAtl, OutsideAtl
from ablate.models.sam import sam_without_weights
from ablate.spec import AtlAdapter, SamVariant
from structures import DECODER_ONLY, STRUCTURES

RESIDUAL = [name for name, variant in STRUCTURES.items() if variant.adapter.residual]


def altered(**fields: object) -> SamVariant:
    adapter = AtlAdapter.model_validate(
        {**STRUCTURES["translandseg-2"].adapter.model_dump(), **fields}
    )
    return SamVariant(system="sam", adapter=adapter, trained=("adapter", "mask_decoder"))


@pytest.mark.parametrize("name", RESIDUAL)
def test_a_residual_variant_starts_as_sams_own_encoder(
    build_nano: Build, nano_weights: dict[str, Tensor], images: Tensor, name: str
) -> None:
    sam = sam_without_weights("vit_nano").to_empty(device="cpu")
    sam.load_state_dict(nano_weights)
    with torch.no_grad():
        assert torch.equal(
            build_nano(STRUCTURES[name]).image_encoder(images), sam.image_encoder(images)
        )


@pytest.mark.parametrize("wrapper", [OutsideAtl, InsideAtl])
@pytest.mark.parametrize("window", [14, 0])
def test_a_block_of_vit_b_is_kept_bit_for_bit(wrapper: type[nn.Module], window: int) -> None:
    torch.manual_seed(0)
    block = Block(768, 12, use_rel_pos=True, window_size=window, input_size=(16, 16))
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.05)
    adapter = STRUCTURES["translandseg-5"].adapter
    assert isinstance(adapter, AtlAdapter)
    tokens = torch.randn(1, 16, 16, 768)
    with torch.no_grad():
        assert torch.equal(wrapper(block, Atl(adapter, 768))(tokens), block(tokens))


def test_a_variant_without_residual_does_not_start_as_sam(
    build_nano: Build, images: Tensor
) -> None:
    sams = build_nano(DECODER_ONLY).image_encoder(images)
    for name in STRUCTURES.keys() - set(RESIDUAL):
        assert not torch.allclose(build_nano(STRUCTURES[name]).image_encoder(images), sams)


def test_up_init_can_be_chosen_against_the_rule(build_nano: Build) -> None:
    for residual, up_init in ((True, "default"), (False, "zero"), (True, None), (False, None)):
        model = build_nano(altered(residual=residual, up_init=up_init))
        starts_at_zero = {not adapter.up.weight.any() for adapter in model.adapters}
        assert starts_at_zero == {up_init == "zero" or (up_init is None and residual)}


@pytest.mark.parametrize(
    "fields",
    [
        {"midlays": ("c",)},
        {"midlays": ("c", "m")},
        {"placement": "inside"},
        {"residual": False, "up_init": "zero"},
        {"width": 3},
        {"kernel_size": 1},
        {"up_init": "default"},
    ],
    ids=str,
)
def test_every_field_of_the_adapter_changes_the_model(
    build_nano: Build, images: Tensor, fields: dict[str, object]
) -> None:
    default, changed = build_nano(altered()), build_nano(altered(**fields))
    if "up_init" not in fields:
        # At the start, a residual adapter is the identity whatever it is made of.
        scatter(default)
        scatter(changed)
    with torch.no_grad():
        assert not torch.allclose(default(images), changed(images))


def test_the_seed_alone_decides_the_start(build_nano: Build) -> None:
    variant = STRUCTURES["translandseg-5"]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build_nano(variant, seed=4).trainable_state()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = build_nano(variant, seed=4).trainable_state()
    other = build_nano(variant, seed=5).trainable_state()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        first["image_encoder.blocks.0.atl.down.weight"],
        other["image_encoder.blocks.0.atl.down.weight"],
    )
    assert not torch.equal(
        first["image_encoder.blocks.0.atl.down.weight"],
        first["image_encoder.blocks.1.atl.down.weight"],
    )


def test_every_block_gets_an_adapter_the_first_included(build_nano: Build) -> None:
    for name, wrapper in (("translandseg", OutsideAtl), ("translandseg-8", InsideAtl)):
        model = build_nano(STRUCTURES[name])
        assert [type(block) for block in model.image_encoder.blocks] == [wrapper] * 4
        assert [block.atl for block in model.image_encoder.blocks] == list(model.adapters)


def test_a_convolution_inside_sees_across_a_windows_border(build_nano: Build) -> None:
    """Attention is taken out, so that only MidLay c can carry a change to another token."""
    inside = build_nano(widened(STRUCTURES["translandseg-6"], 8)).double()
    scatter(inside)
    block = inside.image_encoder.blocks[0]
    assert block.block.window_size == 4
    block.block.attn = nn.Identity()
    tokens = torch.randn(
        1, 8, 8, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    moved = tokens.clone()
    moved[0, 1, 3] += torch.randn(96, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        changed = (block(moved) != block(tokens)).any(-1)[0]
    # Three 3x3 convolutions reach three tokens: columns 4-6 lie in the next window.
    assert changed[1].tolist() == [True] * 7 + [False]
    assert changed[:, 3].tolist() == [True] * 5 + [False] * 3


def test_m_inside_leaves_every_other_token_alone(build_nano: Build) -> None:
    model = build_nano(STRUCTURES["translandseg-8"])
    scatter(model)
    block = model.image_encoder.blocks[0]
    block.block.attn = nn.Identity()
    tokens = torch.randn(1, 8, 8, 96, generator=torch.Generator().manual_seed(3))
    moved = tokens.clone()
    moved[0, 1, 3] += torch.randn(96, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        changed = (block(moved) != block(tokens)).any(-1)[0]
    assert changed.nonzero().tolist() == [[1, 3]]
