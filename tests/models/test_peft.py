"""Methods of peft on SAM: where they sit, how they start, what is trained, saved and merged."""

import sys

import pytest
import torch
from nano_helpers import Build, backward, scatter
from torch import Tensor

from ablate.errors import BadInput, WeightsError
from ablate.models import Segmenter, build, can_stack, count, forward_together, merged
from ablate.models.preflight import vacuous
from ablate.models.sam import sam_without_weights
from ablate.spec import SamVariant
from other_variants import METHODS, peft_variant
from structures import DECODER_ONLY, STRUCTURES

EVERYWHERE = ("q", "k", "v", "proj", "lin1", "lin2")


def both(method: str) -> SamVariant:
    return peft_variant(method, target=list(EVERYWHERE), on="both", rank=None)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_starts_as_sam_bit_for_bit(
    build_nano: Build, images: Tensor, method: str
) -> None:
    sam = build_nano(DECODER_ONLY)
    with torch.no_grad():
        for variant in (peft_variant(method), both(method)):
            assert torch.equal(build_nano(variant)(images), sam(images))


def test_no_method_is_vacuous_and_no_two_are_the_same() -> None:
    encoder = {f"{method} on the encoder": peft_variant(method) for method in METHODS}
    assert vacuous(encoder | {f"{method} on both": both(method) for method in METHODS}) == []


def test_a_method_that_is_never_called_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from peft.tuners.lora import Linear

    monkeypatch.setattr(Linear, "forward", lambda self, x: self.base_layer(x))
    (first, *_) = vacuous({"lora": peft_variant()})
    assert first == (
        "lora: image_encoder.blocks.0.attn.qkv.q.lora_A.default.weight gets no gradient: "
        "it is built but never used"
    )


def added(method: str, inputs: int, outputs: int, rank: int) -> int:
    """Parameters that a method adds to a layer, counted on paper."""
    if method == "ia3":
        return outputs
    if method == "lokr":
        # W = W1 ⊗ W2; W1 is whole, and W2 is whole too where its two factors are not smaller.
        rows, columns = (
            next(n for n in range(int(d**0.5), 0, -1) if d % n == 0) for d in (outputs, inputs)
        )
        second = outputs // rows, inputs // columns
        return rows * columns + (
            rank * sum(second) if rank < max(second) / 2 else second[0] * second[1]
        )
    each = rank * (inputs + outputs)
    return {
        "dora": each + outputs,
        "loha": 2 * each,
        "delora": each + 1,
        "miss": rank * outputs,
    }.get(method, each)


@pytest.mark.parametrize("method", METHODS)
def test_parameters_are_those_of_the_formula(method: str) -> None:
    rank = None if method == "ia3" else 4
    counted = count(peft_variant(method, rank=rank), "vit_l")
    assert counted.adapter == 24 * 2 * added(method, 1024, 1024, 4)
    assert counted.sites == 48
    assert counted.trainable == counted.adapter + 4_058_340
    assert counted.total == 308_278_272 + 4_058_340 + counted.adapter
    wide = count(peft_variant(method, rank=rank, target=["lin1"], sites=[3]), "vit_l")
    assert wide.adapter == added(method, 1024, 4096, 4)


def test_ia3_scales_the_inputs_of_the_second_layer() -> None:
    assert count(peft_variant("ia3", target=["lin2"]), "vit_l").adapter == 24 * 4096
    assert count(peft_variant("ia3", target=["lin1"]), "vit_l").adapter == 24 * 4096
    assert count(peft_variant("ia3", target=["k"]), "vit_l").adapter == 24 * 1024


def test_a_decoder_has_seven_attentions_and_two_mlps() -> None:
    counted = count(peft_variant(on="decoder", target=["q", "lin2"], rank=4), "vit_l")
    assert counted.sites == 7 + 2
    # Self-attentions stay at 256 channels, the others project to half of them.
    attentions = 2 * 4 * (256 + 256) + 5 * 4 * (256 + 128)
    assert counted.adapter == counted.trainable == attentions + 2 * 4 * (2048 + 256)


@pytest.mark.parametrize("method", METHODS)
def test_saved_weights_give_equal_outputs_under_strict_names(
    build_nano: Build, images: Tensor, method: str
) -> None:
    variant = both(method)
    model, again = build_nano(variant), build_nano(variant)
    scatter(model)
    state = model.trainable_state()
    assert not torch.equal(model(images), again(images))
    again.load_trainable_state(state)
    assert torch.equal(model(images), again(images))
    with pytest.raises(WeightsError, match="missing"):
        again.load_trainable_state(dict(list(state.items())[1:]))
    with pytest.raises(WeightsError, match="unexpected"):
        again.load_trainable_state(state | {"other": torch.zeros(1)})


def close_to_start(model: Segmenter) -> None:
    """Moves the adapters a little, as training does."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for adapter in model.adapters:
            for value in adapter.parameters():
                value.add_(0.05 * torch.randn(value.shape, generator=generator))


@pytest.mark.parametrize("method", METHODS)
def test_a_merged_model_computes_the_same_on_sams_own_modules(
    build_nano: Build, images: Tensor, method: str
) -> None:
    model = build_nano(both(method))
    start = model(images).detach()
    close_to_start(model)
    before = model(images).detach()
    assert (before - start).abs().max() > 1e-2
    plain = merged(model)
    torch.testing.assert_close(plain(images).detach(), before, rtol=1e-3, atol=1e-3)
    sam = sam_without_weights("vit_nano")
    for own, sams in (
        (plain.image_encoder, sam.image_encoder),
        (plain.mask_decoder, sam.mask_decoder),
    ):
        assert own.state_dict().keys() == sams.state_dict().keys()
    assert can_stack(plain)
    # The model that it was made from is left as it was.
    assert torch.equal(model(images), before)


def test_what_is_not_linear_in_a_layer_is_not_merged(build_nano: Build) -> None:
    with pytest.raises(BadInput, match=r"blocks\.0\.atl\.down\.weight cannot be put into"):
        merged(build_nano(STRUCTURES["translandseg"]))


def test_sams_weights_are_shared_with_other_models_and_stay(
    nano_weights: dict[str, Tensor], build_nano: Build, images: Tensor
) -> None:
    before = {name: value.clone() for name, value in nano_weights.items()}
    model, other = build_nano(peft_variant("dora")), build_nano(DECODER_ONLY)
    q = model.image_encoder.blocks[0].attn.qkv.q.base_layer.weight
    assert q.data_ptr() == other.image_encoder.blocks[0].attn.qkv.weight.data_ptr()
    backward(model, images)
    trained = [value for value in model.parameters() if value.requires_grad]
    torch.optim.AdamW(trained, lr=0.1).step()
    merged(model)
    assert all(torch.equal(before[name], nano_weights[name]) for name in before)


def test_it_is_computed_beside_models_that_are_stacked(build_nano: Build, images: Tensor) -> None:
    models = [build_nano(STRUCTURES["translandseg"]), build_nano(peft_variant())]
    assert [can_stack(model) for model in models] == [True, False]
    assert torch.equal(forward_together(models, images)[1], models[1](images))


def test_trained_values_are_float32_over_an_encoder_in_half_precision(
    nano_weights: dict[str, Tensor],
) -> None:
    from ablate.models import with_half_precision_encoder

    half = with_half_precision_encoder(nano_weights, "vit_nano")
    for method in METHODS:
        model = build(peft_variant(method), "vit_nano", image_size_px=128, weights=half, seed=0)
        assert {v.dtype for v in model.parameters() if v.requires_grad} == {torch.float32}


def test_the_late_half_and_a_list_of_blocks(build_nano: Build) -> None:
    def adapted(sites: object) -> list[bool]:
        blocks = build_nano(peft_variant(sites=sites)).image_encoder.blocks
        return [any(value.requires_grad for value in block.parameters()) for block in blocks]

    assert adapted("all") == [True] * 4
    assert adapted("late") == [False, False, True, True]
    assert adapted([2, 0]) == [True, False, True, False]


def test_a_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="sites names block 24, but the image encoder has 24 blocks"):
        count(peft_variant(sites=[3, 24]), "vit_l")


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadInput, match=r"peft cannot be imported.*; pip install 'ablate\[peft\]'"):
        count(peft_variant(), "vit_l")
