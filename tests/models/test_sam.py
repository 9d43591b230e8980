"""SAM's modules for every backbone, and what building does to them."""

import pytest
import torch
from nano_helpers import Build
from segment_anything import sam_model_registry
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.models import (
    build,
    with_half_precision_encoder,
    with_random_encoder,
    with_random_prompts,
)
from ablate.models.sam import sam_without_weights
from ablate.spec import BackboneName
from structures import DECODER_ONLY, RELEASED, STRUCTURES


@pytest.mark.parametrize("backbone", ["vit_b", "vit_l", "vit_h"])
def test_the_official_sizes_are_sams_own(backbone: BackboneName) -> None:
    with torch.device("meta"):
        official = sam_model_registry[backbone]()
    ours = sam_without_weights(backbone)
    shapes = {name: value.shape for name, value in official.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    # What no shape shows: windows, heads, scales, eps, activations, strides.
    assert str(ours) == str(official)
    for own, theirs in zip(ours.modules(), official.modules(), strict=True):
        for name in ("window_size", "num_heads", "scale", "eps", "num_mask_tokens"):
            assert getattr(own, name, None) == getattr(theirs, name, None)


def test_frozen_tensors_are_shared_and_trained_ones_are_copies(
    build_nano: Build, nano_weights: dict[str, Tensor]
) -> None:
    model = build_nano(STRUCTURES["translandseg"])
    given = {value.data_ptr() for value in nano_weights.values()}
    for parameter in model.parameters():
        assert (parameter.data_ptr() in given) == (not parameter.requires_grad)


def test_building_refuses_weights_with_a_gap(nano_weights: dict[str, Tensor]) -> None:
    gap = "prompt_encoder.no_mask_embed.weight"
    weights = {name: value for name, value in nano_weights.items() if name != gap}
    with pytest.raises(RuntimeError, match=gap):
        build(DECODER_ONLY, "vit_nano", image_size_px=128, weights=weights, seed=0)


def test_another_image_size_resizes_the_positions_alone(
    build_nano: Build, nano_weights: dict[str, Tensor], images: Tensor
) -> None:
    model = build_nano(STRUCTURES["translandseg-2"], image_size_px=192)
    native = nano_weights["image_encoder.pos_embed"]
    resized = model.image_encoder.pos_embed
    assert not resized.requires_grad
    expected = F.interpolate(native.permute(0, 3, 1, 2), (12, 12), mode="bicubic")
    torch.testing.assert_close(resized.detach(), expected.permute(0, 2, 3, 1))
    assert model.image_pe.shape == (1, 64, 12, 12)
    larger = F.interpolate(images[:1], (192, 192), mode="bilinear")
    assert model(larger).shape == (1, 1, 192, 192)
    assert native.shape == (1, 8, 8, 96)


def test_the_native_size_keeps_the_positions(
    build_nano: Build, nano_weights: dict[str, Tensor]
) -> None:
    encoder = build_nano(DECODER_ONLY).image_encoder
    assert torch.equal(encoder.pos_embed, nano_weights["image_encoder.pos_embed"])


def test_train_and_eval_are_one(build_nano: Build, images: Tensor) -> None:
    model = build_nano(STRUCTURES["translandseg-5"])
    with torch.no_grad():
        assert torch.equal(model.train()(images), model.eval()(images))


@pytest.mark.parametrize("name", ["translandseg", "translandseg-6", "translandseg-released"])
def test_an_encoder_held_in_half_precision_computes_what_autocast_does(
    nano_weights: dict[str, Tensor], images: Tensor, name: str
) -> None:
    halved = with_half_precision_encoder(nano_weights, "vit_nano")
    outcomes = []
    for weights in (nano_weights, halved):
        variant = (STRUCTURES | RELEASED)[name]
        model = build(variant, "vit_nano", image_size_px=128, weights=weights, seed=0)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(images)
        logits.float().square().mean().backward()
        trained = {
            key: value.grad for key, value in model.named_parameters() if value.requires_grad
        }
        assert all(
            value.dtype == torch.float32 for value in model.parameters() if value.requires_grad
        )
        outcomes.append((logits, trained))
    (logits, gradients), (same, others) = outcomes
    assert torch.equal(logits, same)
    for key, gradient in gradients.items():
        assert gradient is None if others[key] is None else torch.equal(gradient, others[key])
    assert halved["image_encoder.blocks.0.mlp.lin1.weight"].dtype == torch.bfloat16
    held = [sum(value.nbytes for value in each.values()) for each in (halved, nano_weights)]
    assert held[0] < 0.8 * held[1]


def test_random_prompts_replace_two_tensors_and_nothing_else(
    nano_weights: dict[str, Tensor],
) -> None:
    before = torch.get_rng_state()
    first, second = (with_random_prompts(nano_weights, seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    changed = {name for name in first if first[name] is not nano_weights[name]}
    assert changed == {
        "prompt_encoder.no_mask_embed.weight",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    }
    for name in changed:
        assert not torch.equal(first[name], second[name])
        assert torch.equal(first[name], with_random_prompts(nano_weights, 0)[name])


def test_a_random_encoder_is_what_segment_anything_constructs(
    nano_weights: dict[str, Tensor],
) -> None:
    before = torch.get_rng_state()
    first, same, other = (with_random_encoder(nano_weights, "vit_nano", seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    changed = {name for name in first if first[name] is not nano_weights[name]}
    assert changed == {name for name in nano_weights if name.startswith("image_encoder.")}
    drawn = "image_encoder.blocks.2.mlp.lin1.weight"
    assert torch.equal(first[drawn], same[drawn])
    assert not torch.equal(first[drawn], other[drawn])
    # nn.Linear's own: uniform, as wide as one over the root of its inputs.
    assert first[drawn].abs().max() <= 96**-0.5 < 1.01 * first[drawn].abs().max()
    assert not first["image_encoder.pos_embed"].any()
