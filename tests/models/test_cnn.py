"""The CNN baselines of Table III: counts, equations and training."""

import copy

import pytest
import torch
from cnn_helpers import CNNS, DEEPLAB, each_cnn, noise, rectangles, training_loss
from safetensors.torch import load, save
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from ablate.errors import WeightsError
from ablate.models import count
from ablate.models.cnn import Cnn, CrissCrossAttention, PooledNorm, build_cnn
from ablate.models.resnets import Features
from ablate.spec import CnnVariant


def only_stage4(stage4: Tensor) -> Features:
    """For heads that look at nothing else."""
    nothing = torch.empty(0)
    return Features(nothing, nothing, nothing, nothing, stage4)


# Counts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "one_class", "two_classes", "printed"),
    [
        ("deeplabv3plus", 40_347_041, 40_347_298, "40.35"),
        ("pspnet", 46_582_337, 46_582_850, "46.58"),
        ("ccnet", 71_269_443, 71_270_469, "71.27"),
        ("unet", 75_361_281, 75_361_346, "75.36"),
    ],
)
def test_table_3_is_counted_to_the_parameter(
    built: dict[str, Cnn], name: str, one_class: int, two_classes: int, printed: str
) -> None:
    counted = count(CNNS[name], "vit_l")
    assert counted == built[name].count_parameters()
    assert (counted.total, counted.trainable) == (one_class, one_class)
    with torch.device("meta"):
        assert Cnn(CNNS[name], classes=2).count_parameters().total == two_classes
    assert f"{counted.total / 1e6:.2f}" == f"{two_classes / 1e6:.2f}" == printed


def test_counting_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    count(DEEPLAB, "vit_l")
    assert torch.equal(torch.get_rng_state(), before)


def test_an_auxiliary_head_is_there_only_where_it_has_a_weight() -> None:
    without = CnnVariant(system="cnn", architecture="ccnet")
    # A 3x3 convolution with bias, its normalisation, and the head.
    head = (1024 * 512 * 9 + 512) + 2 * 512 + (512 + 1)
    assert count(CNNS["ccnet"], "vit_l").total - count(without, "vit_l").total == head


# Shapes -----------------------------------------------------------------------------------


@each_cnn
@pytest.mark.parametrize("size", [(64, 64), (80, 50)], ids=str)
def test_logits_have_the_size_of_the_images(
    built: dict[str, Cnn], name: str, size: tuple[int, int]
) -> None:
    model = copy.deepcopy(built[name])
    with torch.no_grad():
        weighted = model.weighted_logits(noise(2, 3, *size))
    assert [weight for weight, _ in weighted] == ([1.0, 0.4] if name == "ccnet" else [1.0])
    assert all(logits.shape == (2, 1, *size) for _, logits in weighted)


def test_both_heads_see_one_pass_through_the_encoder(built: dict[str, Cnn]) -> None:
    model = copy.deepcopy(built["ccnet"]).eval()
    images, passes = noise(1, 3, 64, 64), []
    model.encoder.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        (_, main), (_, auxiliary) = model.weighted_logits(images)
        assert len(passes) == 1
        assert torch.equal(main, model(images))
    assert not torch.allclose(main, auxiliary)


@pytest.mark.parametrize(("name", "stride"), [("deeplabv3plus", 4), ("pspnet", 8), ("unet", 2)])
def test_heads_work_at_their_papers_resolution(
    built: dict[str, Cnn], name: str, stride: int
) -> None:
    model = copy.deepcopy(built[name])
    with torch.no_grad():
        logits = model.head(model.encoder(noise(2, 3, 64, 64)))
    assert logits.shape == (2, 1, 64 // stride, 64 // stride)


# Heads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_the_pyramid_of_deeplab_is_torchvisions_own(built: dict[str, Cnn], training: bool) -> None:
    """Only a batch of one is treated otherwise."""
    ours = copy.deepcopy(built["deeplabv3plus"].head.aspp).train(training)
    theirs = ASPP(2048, [6, 12, 18]).train(training)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    features, outputs = noise(2, 2048, 9, 7), []
    for module in (ours, theirs):
        torch.manual_seed(5)
        with torch.no_grad():
            outputs.append(module(features))
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-6)


def test_the_pyramid_of_pspnet_averages_bins(built: dict[str, Cnn]) -> None:
    """6x6 features fall into every number of bins evenly: the means can be taken by hand."""
    head = copy.deepcopy(built["pspnet"].head).eval()
    x, seen = noise(1, 2048, 6, 6), []
    for level in head.pyramid:
        level[0].register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    head.classifier[0].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        head(only_stage4(x))
        *pooled, joined = seen
        for bins, level, found in zip((1, 2, 3, 6), head.pyramid, pooled, strict=True):
            side = 6 // bins
            by_hand = x.reshape(1, 2048, bins, side, bins, side).mean(dim=(3, 5))
            torch.testing.assert_close(found, by_hand)
            assert level[1][0].out_channels == 512
        assert torch.equal(joined[:, :2048], x)
        # One bin is the same everywhere; six bins need no resizing.
        everywhere = head.pyramid[0](x).expand(1, 512, 6, 6)
        torch.testing.assert_close(joined[:, 2048:2560], everywhere)
        torch.testing.assert_close(joined[:, -512:], head.pyramid[3](x))


@pytest.fixture
def attention() -> CrissCrossAttention:
    """Small, in float64, γ off its start."""
    torch.manual_seed(2)
    module = CrissCrossAttention(6, 3).double()
    nn.init.constant_(module.gamma, 0.7)
    return module


def test_criss_cross_attention_is_its_equation(attention: CrissCrossAttention) -> None:
    x = noise(2, 6, 4, 5, dtype=torch.float64)

    def mapped(part: nn.Conv2d, b: int, i: int, j: int) -> Tensor:
        return part.weight[:, :, 0, 0] @ x[b, :, i, j] + part.bias

    by_hand = torch.empty_like(x)
    with torch.no_grad():
        for b in range(2):
            for i in range(4):
                for j in range(5):
                    cross = {(k, j) for k in range(4)} | {(i, k) for k in range(5)}
                    assert len(cross) == 4 + 5 - 1
                    query = mapped(attention.query, b, i, j)
                    scores = {p: (query @ mapped(attention.key, b, *p)).exp() for p in cross}
                    total = sum(scores.values())
                    attended = sum(
                        scores[p] / total * mapped(attention.value, b, *p) for p in cross
                    )
                    by_hand[b, :, i, j] = 0.7 * attended + x[b, :, i, j]
        torch.testing.assert_close(attention(x), by_hand, rtol=0, atol=1e-12)


def test_the_second_pass_reaches_the_whole_map(attention: CrissCrossAttention) -> None:
    x = noise(1, 6, 4, 5, dtype=torch.float64).requires_grad_()
    once = attention(x)
    twice = attention(once)
    for out, reached in ((once, 4 + 5 - 1), (twice, 4 * 5)):
        (gradient,) = torch.autograd.grad(out[0, :, 1, 3].sum(), x, retain_graph=True)
        moved = gradient[0].abs().amax(dim=0) > 0
        assert moved.sum() == reached
        assert moved[1].all()
        assert moved[:, 3].all()


def test_ccnet_attends_twice_and_starts_without_attention(built: dict[str, Cnn]) -> None:
    head = copy.deepcopy(built["ccnet"].head).eval()
    maps: list[tuple[Tensor, Tensor]] = []
    head.attention.register_forward_hook(lambda _module, x, out: maps.append((x[0], out)))
    features = only_stage4(noise(2, 2048, 6, 6))
    with torch.no_grad():
        head(features)
        assert torch.equal(maps[0][0], maps[1][1])
        nn.init.ones_(head.attention.gamma)
        head(features)
    assert len(maps) == 4
    assert torch.equal(maps[2][1], maps[3][0])
    assert not torch.allclose(maps[2][0], maps[3][1])


# Training ---------------------------------------------------------------------------------


@each_cnn
def test_a_few_steps_reduce_the_loss(built: dict[str, Cnn], name: str) -> None:
    model = copy.deepcopy(built[name])
    images, masks = noise(2, 3, 64, 64), rectangles(64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    losses = []
    for _ in range(3):
        # The dropout of every step is the same, so that losses can be compared.
        torch.manual_seed(0)
        optimizer.zero_grad()
        loss = training_loss(model, images, masks)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


@each_cnn
def test_every_parameter_gets_a_gradient_but_those_that_no_mask_depends_on(
    built: dict[str, Cnn], name: str
) -> None:
    model = copy.deepcopy(built[name])
    if name == "ccnet":
        # At zero, γ hides what the attention is made of.
        nn.init.ones_(model.head.attention.gamma)
    training_loss(model, noise(3, 3, 64, 64), rectangles(64)[[0, 1, 0]]).backward()
    largest = {n: value.grad.abs().max().item() for n, value in model.named_parameters()}
    parameters_without_gradient = (
        {"head.attention.key.bias", "auxiliary.0.0.bias"} if name == "ccnet" else set()
    )
    assert model.parameters_without_gradient() == parameters_without_gradient
    assert all(largest[n] > 1e-7 for n in largest.keys() - parameters_without_gradient)
    assert all(largest[n] < 1e-7 for n in parameters_without_gradient)


@each_cnn
def test_a_last_batch_of_one_image_trains(built: dict[str, Cnn], name: str) -> None:
    model = copy.deepcopy(built[name])
    training_loss(model, noise(1, 3, 64, 64), rectangles(64)[:1]).backward()
    assert all(value.grad is not None for value in model.parameters())
    assert all(value.grad.isfinite().all() for value in model.parameters())
    pooled = [part for part in model.modules() if isinstance(part, PooledNorm)]
    assert len(pooled) == (1 if name in {"deeplabv3plus", "pspnet"} else 0)
    normed = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(part.num_batches_tracked == 1 for part in normed if part not in pooled)


def test_only_one_value_per_channel_is_normalised_by_running_statistics() -> None:
    ours, theirs = PooledNorm(4), nn.BatchNorm2d(4)
    several = 3 + 2 * noise(2, 4, 1, 1)
    assert torch.equal(ours(several), theirs(several))
    before = {n: value.clone() for n, value in ours.named_buffers()}
    assert before["num_batches_tracked"] == 1
    one = noise(1, 4, 1, 1, seed=1)
    expected = (one - theirs.running_mean.view(1, 4, 1, 1)) / (
        theirs.running_var.view(1, 4, 1, 1) + 1e-5
    ).sqrt()
    torch.testing.assert_close(ours(one), expected)
    assert all(torch.equal(value, before[n]) for n, value in ours.named_buffers())


@each_cnn
def test_the_trainable_state_brings_back_every_bit(built: dict[str, Cnn], name: str) -> None:
    model, images = copy.deepcopy(built[name]), noise(2, 3, 48, 48)

    def change(shift: float) -> Tensor:
        """New parameters and running statistics; the logits that they give."""
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1 + shift)
            model.train()(images + shift)
            return model.eval()(images)

    expected = change(0.01)
    stored = load(save(model.trainable_state()))
    assert stored.keys() == model.state_dict().keys()
    assert not torch.allclose(change(0.02), expected)
    model.load_trainable_state(stored)
    with torch.no_grad():
        assert torch.equal(model(images), expected)


def test_a_state_without_running_statistics_is_refused(built: dict[str, Cnn]) -> None:
    model = built["deeplabv3plus"]
    state = model.trainable_state()
    del state["encoder.bn1.running_var"]
    with pytest.raises(WeightsError, match=r"missing: encoder\.bn1\.running_var"):
        model.load_trainable_state(state)


# Seeds ------------------------------------------------------------------------------------


def test_the_seed_alone_decides_the_start(built: dict[str, Cnn]) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = build_cnn(DEEPLAB, None, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    first = built["deeplabv3plus"].state_dict()
    assert all(torch.equal(first[n], again[n]) for n in first)
    other = build_cnn(DEEPLAB, None, seed=4).state_dict()
    for part in ("encoder.conv1.weight", "head.low_level.0.weight"):
        assert not torch.equal(first[part], other[part])
