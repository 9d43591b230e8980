"""The other interpretations: 23 sites, and the adapter of the public code."""

import cmath
import copy
import math
import pickle

import pytest
import torch
from encoder_by_hand import attend, convolve, gelu, layer_norm, linear, part
from nano_helpers import Build, backward, scatter
from torch import Tensor, nn

from ablate.models.adapters import InsideAtl, OutsideAtl
from ablate.models.atl_released import high_pass
from ablate.spec import BACKBONES, AtlReleasedAdapter, SamVariant
from structures import BETWEEN, RELEASED, STRUCTURES, released

NANO = BACKBONES["vit_nano"]


def wave(side: int, frequency: int) -> Tensor:
    """A cosine along x, 1x1xSxS."""
    line = torch.cos(2 * torch.pi * frequency * torch.arange(side, dtype=torch.float64) / side)
    return line.expand(1, 1, side, side)


def patches(images: Tensor) -> Tensor:
    """Bx3xSxS to Bxhxwx768."""
    count, _, size_px, _ = images.shape
    side = size_px // 16
    cut = images.reshape(count, 3, side, 16, side, 16).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(count, side, side, -1)


def embed(images: Tensor, tensors: dict[str, Tensor], name: str) -> Tensor:
    kernel = tensors[f"{name}.weight"]
    return patches(images) @ kernel.reshape(len(kernel), -1).T + tensors[f"{name}.bias"]


def high_frequencies(images: Tensor) -> Tensor:
    """By matrices of roots of unity, frequency by frequency, without shifts."""
    size = images.shape[-1]
    turns = [[cmath.exp(-2j * math.pi * u * x / size) for x in range(size)] for u in range(size)]
    roots = torch.tensor(turns, dtype=torch.complex128)
    spectrum = roots @ images.to(torch.complex128) @ roots.T
    # A quarter of the area: frequencies from -size/4 to size/4 - 1.
    low = [-(size // 4) <= (u if u < size / 2 else u - size) < size // 4 for u in range(size)]
    inside = torch.tensor(low)
    spectrum[:, :, inside[:, None] & inside[None, :]] = 0
    return ((roots.conj() @ spectrum @ roots.conj().T) / size**2).real.abs()


def midlays(x: Tensor, tensors: dict[str, Tensor], adapter: AtlReleasedAdapter) -> Tensor:
    for index, midlay in enumerate(adapter.midlays):
        own = part(tensors, f"{index}.")
        if midlay == "m":
            x = gelu(linear(x, own, "0"))
            continue
        kernel = own["conv.weight"]
        if index == 1:
            kernel = torch.diag_embed(kernel[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1)
            x = convolve(x, kernel)
        else:
            x = convolve(x, kernel, own["conv.bias"])
        x = gelu(layer_norm(x, own, "norm"))
    return x


def encode(tensors: dict[str, Tensor], adapter: AtlReleasedAdapter, images: Tensor) -> Tensor:
    sam, own = part(tensors, "encoder."), part(tensors, "prompts.")
    x = embed(images, sam, "patch_embed.proj")
    feature = linear(x, own, "down") + embed(high_frequencies(images), own, "high")
    x = x + sam["pos_embed"]
    for index in range(NANO.depth):
        prompt = midlays(feature, part(own, f"midlays.{index}."), adapter)
        x = x + (prompt if "c" in adapter.midlays else linear(prompt, own, "up"))
        block = part(sam, f"blocks.{index}.")
        window = 0 if index in NANO.global_blocks else NANO.window
        normed = layer_norm(x, block, "norm1")
        x = x + attend(normed, part(block, "attn."), NANO.heads, window)
        hidden = gelu(linear(layer_norm(x, block, "norm2"), block, "mlp.lin1"))
        x = x + linear(hidden, block, "mlp.lin2")
    x = layer_norm(convolve(x, sam["neck.0.weight"]), sam, "neck.1")
    x = layer_norm(convolve(x, sam["neck.2.weight"]), sam, "neck.3")
    return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize("image_size_px", [128, 96])
@pytest.mark.parametrize("name", RELEASED)
def test_the_encoder_computes_what_the_public_code_does(
    build_nano: Build, images: Tensor, name: str, image_size_px: int
) -> None:
    variant = RELEASED[name]
    assert isinstance(variant.adapter, AtlReleasedAdapter)
    model = build_nano(variant, image_size_px=image_size_px).double()
    scatter(model)
    images = images[:2, :, :image_size_px, :image_size_px].double()
    tensors = {name: value.detach() for name, value in model.image_encoder.named_parameters()}
    with torch.no_grad():
        built = model.image_encoder(images)
    by_hand = encode(tensors, variant.adapter, images)
    torch.testing.assert_close(built, by_hand, rtol=1e-8, atol=1e-8)


def test_the_filter_takes_low_frequencies_out_and_keeps_high_ones() -> None:
    assert high_pass(wave(64, 0)).max() < 1e-12
    assert high_pass(wave(64, 15)).max() < 1e-12
    torch.testing.assert_close(high_pass(wave(64, 17)), wave(64, 17).abs())
    # The square is half open, as in the public code: -16 goes, +16 stays.
    torch.testing.assert_close(high_pass(wave(64, 16)), wave(64, 16).abs() / 2)
    narrow = wave(64, 17).to(torch.bfloat16)
    assert high_pass(narrow).dtype == torch.float32


@pytest.mark.parametrize("name", RELEASED)
def test_prompts_start_small_and_not_at_zero(build_nano: Build, name: str) -> None:
    (prompts,) = build_nano(RELEASED[name]).adapters
    for module in prompts.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.25)
            assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize("name", RELEASED)
def test_every_trained_parameter_gets_a_gradient_and_no_other(
    build_nano: Build, images: Tensor, name: str
) -> None:
    model = build_nano(RELEASED[name]).double()
    scatter(model)
    backward(model, images[:2].double())
    sizes = {
        name: 0.0 if value.grad is None else value.grad.abs().max().item()
        for name, value in model.named_parameters()
    }
    rounding = 1e-12 * max(sizes.values())
    reached = {name for name, size in sizes.items() if size > rounding}
    assert reached == model.trainable_state().keys() - model.parameters_without_gradient()
    assert "no_mask" in reached
    assert {name.split(".")[1] for name in reached if "image_encoder" in name} == {"prompts"}


def test_the_no_mask_embedding_is_trained_where_it_is_named(build_nano: Build) -> None:
    plain = STRUCTURES["translandseg"]
    trained = SamVariant.model_validate(
        plain.model_dump() | {"trained": (*plain.trained, "no_mask_embedding")}
    )
    without, with_it = build_nano(plain), build_nano(trained)
    assert with_it.trainable_state().keys() - without.trainable_state().keys() == {"no_mask"}
    grown = with_it.count_parameters().total - without.count_parameters().total
    assert grown == NANO.prompt_width
    assert torch.equal(with_it.no_mask, without.no_mask)


def test_a_step_on_the_no_mask_embedding_leaves_the_weights_alone(
    build_nano: Build, nano_weights: dict[str, Tensor]
) -> None:
    model = build_nano(RELEASED["translandseg-released"])
    name = "prompt_encoder.no_mask_embed.weight"
    before = nano_weights[name].clone()
    with torch.no_grad():
        model.no_mask.add_(1.0)
    assert torch.equal(nano_weights[name], before)


@pytest.mark.parametrize("other", [released(("m",), width=16), released(("m", "m"))], ids=str)
def test_every_field_of_the_released_adapter_changes_the_model(
    build_nano: Build, images: Tensor, other: SamVariant
) -> None:
    with torch.no_grad():
        default = build_nano(RELEASED["translandseg-released"])(images)
        assert not torch.equal(default, build_nano(other)(images))


@pytest.mark.parametrize("name", RELEASED)
def test_copies_are_whole_and_stay_apart(build_nano: Build, images: Tensor, name: str) -> None:
    model = build_nano(RELEASED[name])
    with torch.no_grad():
        expected = model(images)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(twin(images), expected)
            assert twin.count_parameters() == model.count_parameters()
            twin.adapters[0].down.weight.add_(1.0)
            assert not torch.equal(twin(images), expected)
            assert torch.equal(model(images), expected)


def test_the_trained_state_goes_into_another_model(build_nano: Build, images: Tensor) -> None:
    source = build_nano(RELEASED["translandseg-released-c3"], seed=1)
    target = build_nano(RELEASED["translandseg-released-c3"], seed=2)
    with torch.no_grad():
        source.no_mask.add_(0.5)
        assert not torch.equal(target(images), source(images))
        target.load_trainable_state(source.trainable_state())
        assert torch.equal(target(images), source(images))


def test_bfloat16_autocast_trains_with_a_filter_in_float32(
    build_nano: Build, images: Tensor
) -> None:
    model = build_nano(RELEASED["translandseg-released"])
    with torch.no_grad():
        plain = model(images)
    with torch.autocast("cpu", torch.bfloat16):
        backward(model, images)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        narrow = model(images).float()
    # bfloat16 keeps eight bits; the encoder is some tens of roundings deep.
    assert (narrow - plain).norm() < 0.1 * plain.norm()
    assert all(value.grad.isfinite().all() for value in model.adapters[0].parameters())


def test_23_sites_are_24_without_the_first(build_nano: Build, images: Tensor) -> None:
    between, whole = build_nano(BETWEEN), build_nano(STRUCTURES["translandseg"])
    kinds = [isinstance(block, OutsideAtl) for block in between.image_encoder.blocks]
    assert kinds == [False, True, True, True]
    assert not any(isinstance(block, InsideAtl) for block in between.image_encoder.blocks)
    scatter(between)
    for index in (1, 2, 3):
        atl = between.image_encoder.blocks[index].atl
        whole.image_encoder.blocks[index].atl.load_state_dict(atl.state_dict())
    with torch.no_grad():
        # Zero in the up-projection is Ω(X) = X; a scattered one is not.
        assert torch.equal(between(images), whole(images))
        whole.image_encoder.blocks[0].atl.up.bias.add_(1.0)
        assert not torch.equal(between(images), whole(images))
