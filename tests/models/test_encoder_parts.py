"""Parts of SAM's own image encoder that learn: norms, biases, all of it."""

import pytest
import torch
from nano_helpers import Build, backward
from pydantic import ValidationError
from torch import Tensor, nn

from ablate.models import build, can_stack, count, parts_of, with_half_precision_encoder
from ablate.models.preflight import vacuous
from other_variants import IN_BLOCKS, TUNED, adapted, peft_variant
from structures import DECODER_ONLY, RELEASED, STRUCTURES

# Of SAM ViT-L: two LayerNorms in each block, and two in the neck.
NORMS = 24 * 2 * 2 * 1024 + 2 * 2 * 256
# qkv, projection, both layers of the MLP and both LayerNorms; patch embedding; the neck's norms.
BIASES = 24 * (3 + 1 + 4 + 1 + 2) * 1024 + 1024 + 2 * 256


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("norms", NORMS),
        ("biases", BIASES),
        ("norms and biases", BIASES + NORMS // 2),
        ("all", 308_278_272),
    ],
)
def test_parameters_are_those_of_the_formula(name: str, expected: int) -> None:
    counted = count(TUNED[name], "vit_l")
    assert counted.trainable == expected + 4_058_340
    assert (counted.adapter, counted.sites) == (0, 0)
    assert counted.total == 308_278_272 + 4_058_340


def test_none_of_them_is_vacuous_and_all_differ() -> None:
    assert vacuous(TUNED | {"decoder only": DECODER_ONLY}) == []


def test_they_go_with_every_adapter() -> None:
    rows = {
        "atl": STRUCTURES["translandseg"],
        "released": RELEASED["translandseg-released"],
        "lora": peft_variant("lora", target=["q", "k", "v"]),
        **IN_BLOCKS,
    }
    parts = ["adapter", "mask_decoder", "encoder_norms", "encoder_biases"]
    both = {
        name: adapted(variant.adapter.model_dump(mode="json"), parts)
        for name, variant in rows.items()
    }
    assert vacuous(both) == []
    for name, variant in both.items():
        extra = count(variant, "vit_l").trainable - count(rows[name], "vit_l").trainable
        no_mask = 256 if name == "released" else 0
        assert extra == BIASES + NORMS // 2 - no_mask


@pytest.mark.parametrize("name", TUNED)
def test_sams_weights_and_other_models_stay_as_they_are(
    build_nano: Build, nano_weights: dict[str, Tensor], images: Tensor, name: str
) -> None:
    before = {key: value.clone() for key, value in nano_weights.items()}
    model, other = build_nano(TUNED[name]), build_nano(DECODER_ONLY)
    start = other(images).detach()
    assert torch.equal(model(images), start)
    assert not can_stack(model)
    backward(model, images)
    trained = [value for value in model.image_encoder.parameters() if value.requires_grad]
    assert trained
    torch.optim.SGD(trained, lr=0.1).step()
    assert not torch.equal(model(images), start)
    assert torch.equal(other(images), start)
    assert all(torch.equal(before[key], nano_weights[key]) for key in before)
    again = build_nano(TUNED[name])
    again.load_trainable_state(model.trainable_state())
    assert torch.equal(again(images), model(images))


def test_only_what_is_named_learns(build_nano: Build) -> None:
    model = build_nano(TUNED["norms"])
    norms = (nn.LayerNorm,)
    for module in model.image_encoder.modules():
        for value in module.parameters(recurse=False):
            is_norm = isinstance(module, norms) or type(module).__name__ == "LayerNorm2d"
            assert value.requires_grad == is_norm
    model = build_nano(TUNED["biases"])
    assert {
        name.rpartition(".")[2]
        for name, value in model.image_encoder.named_parameters()
        if value.requires_grad
    } == {"bias"}


def test_what_is_trained_is_float32(nano_weights: dict[str, Tensor]) -> None:
    half = with_half_precision_encoder(nano_weights, "vit_nano")
    for variant in TUNED.values():
        model = build(variant, "vit_nano", image_size_px=128, weights=half, seed=0)
        assert {v.dtype for v in model.parameters() if v.requires_grad} == {torch.float32}
        assert variant.needs_exact_encoder
    assert not DECODER_ONLY.needs_exact_encoder


def test_what_is_trained_is_shown_as_a_part() -> None:
    for name in ("norms", "biases", "norms and biases"):
        (own,) = (
            part
            for part in parts_of(TUNED[name], "vit_l").parts
            if part.name == "trained in the image encoder"
        )
        assert (own.module, own.state) == (name, "trained")
    assert {part.state for part in parts_of(TUNED["all"], "vit_l").parts} == {"trained"}


def test_a_part_that_holds_another_is_refused() -> None:
    with pytest.raises(ValidationError, match="names the encoder and a part of it"):
        adapted({"kind": "none"}, ["encoder", "encoder_norms"])
