"""The model as a whole: decoding, freezing, gradients, copies and its trained state."""

import copy
import pickle

import pytest
import torch
from nano_helpers import Build, backward, scatter, widened
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.errors import WeightsError
from ablate.models import Segmenter
from ablate.models.sam import sam_without_weights
from structures import DECODER_ONLY, STRUCTURES


@pytest.mark.parametrize("size_px", [128, 64])
def test_the_decoder_is_sams_own_without_prompts(
    build_nano: Build, nano_weights: dict[str, Tensor], images: Tensor, size_px: int
) -> None:
    model = build_nano(DECODER_ONLY, image_size_px=size_px)
    sam = sam_without_weights("vit_nano", size_px).to_empty(device="cpu")
    sam.load_state_dict(nano_weights)
    image = images[:1, :, :size_px, :size_px]
    with torch.no_grad():
        sparse, dense = sam.prompt_encoder(points=None, boxes=None, masks=None)
        low_resolution, _ = sam.mask_decoder(
            image_embeddings=model.image_encoder(image),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        assert low_resolution.shape == (1, 1, size_px // 4, size_px // 4)
        expected = F.interpolate(low_resolution, (size_px, size_px), mode="bilinear")
        # The resizing rounds otherwise.
        torch.testing.assert_close(model(image), expected, rtol=1e-6, atol=1e-6)


def test_a_batch_is_decoded_as_its_images_are(build_nano: Build, images: Tensor) -> None:
    model = build_nano(STRUCTURES["translandseg-5"])
    scatter(model)
    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert together.shape == (3, 1, 128, 128)
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", STRUCTURES)
def test_only_adapters_and_decoder_are_trainable(build_nano: Build, name: str) -> None:
    model = build_nano(STRUCTURES[name])
    trainable = {value for value in model.parameters() if value.requires_grad}
    expected = set(model.mask_decoder.parameters())
    for adapter in model.adapters:
        expected |= set(adapter.parameters())
    assert trainable == expected
    assert model.trainable_state().keys() == {
        name for name, value in model.named_parameters() if value in expected
    }


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_trainable_parameter_gets_a_gradient_but_those_that_no_mask_depends_on(
    build_nano: Build, images: Tensor, name: str
) -> None:
    # At width 2, LayerNorm leaves MidLay c's gradients 1e-8 to 1e-28 of the others.
    model = build_nano(widened(STRUCTURES[name], 8)).double()
    scatter(model)
    backward(model, images[:2].double())
    sizes = {
        name: 0.0 if value.grad is None else value.grad.abs().max().item()
        for name, value in model.named_parameters()
        if value.requires_grad
    }
    # The biases of keys get a gradient of rounding alone, which float64 keeps below 1e-15.
    rounding = 1e-12 * max(sizes.values())
    assert {
        name for name, size in sizes.items() if size <= rounding
    } == model.parameters_without_gradient()


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_papers_width_lets_every_gradient_through(
    build_nano: Build, images: Tensor, name: str
) -> None:
    model = build_nano(STRUCTURES[name]).double()
    scatter(model)
    backward(model, images[:2].double())
    for adapter in model.adapters:
        for parameter in adapter.parameters():
            assert parameter.grad is not None
            assert parameter.grad.any()


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_step_moves_what_is_trained_and_nothing_else(
    build_nano: Build, nano_weights: dict[str, Tensor], images: Tensor, name: str
) -> None:
    given = {name: value.clone() for name, value in nano_weights.items()}
    model = build_nano(STRUCTURES[name])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        backward(model, images[:1])
        optimizer.step()
    after = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed <= model.trainable_state().keys()
    assert all(any(name in changed for name in state) for state in _sites(model))
    # Other variants are built from the same tensors.
    assert all(torch.equal(given[name], nano_weights[name]) for name in given)


def _sites(model: Segmenter) -> list[list[str]]:
    """Names of the parameters of each adapter, and of the decoder."""
    owners = [*model.adapters, model.mask_decoder]
    return [
        [name for name, value in model.named_parameters() if value in set(owner.parameters())]
        for owner in owners
    ]


@pytest.mark.parametrize("name", ["translandseg-5", "translandseg-6"])
def test_copies_give_the_same_outputs_and_stay_apart(
    build_nano: Build, images: Tensor, name: str
) -> None:
    model = build_nano(STRUCTURES[name])
    scatter(model)
    with torch.no_grad():
        expected = model(images)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(twin(images), expected)
            assert twin.count_parameters() == model.count_parameters()
            for adapter in twin.adapters:
                adapter.up.weight.zero_()
            assert not torch.equal(twin(images), expected)
            assert torch.equal(model(images), expected)


def test_the_trained_state_goes_into_another_model(build_nano: Build, images: Tensor) -> None:
    source = build_nano(STRUCTURES["translandseg-5"], seed=1)
    scatter(source)
    state = source.trainable_state()
    assert all(value.device.type == "cpu" and not value.requires_grad for value in state.values())
    target = build_nano(STRUCTURES["translandseg-5"], seed=2)
    target.load_trainable_state(state)
    kept = {name: value.clone() for name, value in state.items()}
    with torch.no_grad():
        assert torch.equal(target(images), source(images))
        for model in (source, target):
            model.mask_decoder.mask_tokens.weight.zero_()
    assert all(torch.equal(state[name], value) for name, value in kept.items())


def test_a_state_of_another_variant_is_refused(build_nano: Build) -> None:
    state = build_nano(STRUCTURES["translandseg"]).trainable_state()
    del state["mask_decoder.iou_token.weight"]
    state["mask_decoder.mask_tokens.weight"] = torch.zeros(1, 1)
    target = build_nano(STRUCTURES["translandseg-4"])
    before = target.trainable_state()
    with pytest.raises(WeightsError) as caught:
        target.load_trainable_state(state)
    message = str(caught.value)
    assert "\n" not in message
    assert "missing: image_encoder.blocks.0.atl.midlays.1.0.bias" in message
    assert "misshapen: mask_decoder.mask_tokens.weight" in message
    with pytest.raises(WeightsError, match=r"unexpected: image_encoder\.blocks\.0\.atl\.down"):
        build_nano(DECODER_ONLY).load_trainable_state(state)
    after = target.trainable_state()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_parameters_without_gradient_do_not_change_the_logits(
    build_nano: Build, images: Tensor
) -> None:
    """Whatever happens to them, the logits stay."""
    model = build_nano(STRUCTURES["translandseg"]).double()
    images = images[:1].double()
    before = model(images)
    parameters_without_gradient = model.parameters_without_gradient()
    assert len(parameters_without_gradient) == 6 + 3 * 6 + 7
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in parameters_without_gradient:
                parameter.normal_()
    torch.testing.assert_close(model(images), before, rtol=1e-9, atol=1e-9)
