"""Several variants at once, against each by itself."""

from collections.abc import Callable, Iterator

import pytest
import torch
from cnn_helpers import DEEPLAB
from nano_helpers import Build, scatter
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models import Segmenter, build, build_cnn, can_stack, forward_together, load_weights
from ablate.models.counting import model_without_values
from ablate.models.ensemble import _newest
from ablate.spec import SamVariant
from structures import DECODER_ONLY, STRUCTURES, released

Forward = Callable[[list[Segmenter], Tensor], list[Tensor]]

ADAPTER_ONLY = SamVariant(
    system="sam", adapter=STRUCTURES["translandseg"].adapter, trained=("adapter",)
)
VARIANTS = [
    *(STRUCTURES[name] for name in ("translandseg", "translandseg-5", "translandseg-9")),
    released(("m",)),
    ADAPTER_ONLY,
    DECODER_ONLY,
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As training gives SAM-nano: on two, how a product is cut depends on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moved(model: Segmenter, number: int) -> Segmenter:
    """Every trained value differs from its start and from the other variants."""
    scatter(model)
    generator = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model


def variants(build_nano: Build, size_px: int) -> list[Segmenter]:
    return [
        moved(build_nano(variant, image_size_px=size_px), number)
        for number, variant in enumerate(VARIANTS)
    ]


def loss(logits: Tensor) -> Tensor:
    """Against a disc in the middle."""
    lines = torch.linspace(-1, 1, logits.shape[-1])
    disc = (lines[:, None] ** 2 + lines**2 < 0.5).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, disc.expand_as(logits))


def gradients(model: Segmenter) -> dict[str, Tensor]:
    """Taken away from the model."""
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def stacked(models: list[Segmenter], images: Tensor) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Logits and gradients of each."""
    logits = forward_together(models, images)
    torch.autograd.backward([loss(each) for each in logits])
    return [(each.detach(), gradients(model)) for each, model in zip(logits, models, strict=True)]


@pytest.fixture
def build_double(nano_weights: dict[str, Tensor]) -> Build:
    """In float64, over one frozen image encoder."""
    weights = {
        # The positional encoding can only be computed in float32.
        name: value.double() if name.startswith("image_encoder.") else value
        for name, value in nano_weights.items()
    }

    def build_it(variant: SamVariant, *, image_size_px: int) -> Segmenter:
        return build(
            variant, "vit_nano", image_size_px=image_size_px, weights=weights, seed=0
        ).double()

    return build_it


@pytest.mark.parametrize(("size_px", "count"), [(128, 3), (64, 1)])
def test_a_stack_computes_what_each_model_computes(
    build_double: Build, images: Tensor, size_px: int, count: int
) -> None:
    models = variants(build_double, size_px)
    batch = images[:count, :, :size_px, :size_px].double()
    for model, (logits, found) in zip(models, stacked(models, batch), strict=True):
        expected = model(batch)
        loss(expected).backward()
        torch.testing.assert_close(logits, expected.detach(), rtol=1e-10, atol=1e-11)
        gradient = gradients(model)
        # None is no gradient, zero is one: weight decay sees the difference.
        assert found.keys() == gradient.keys()
        largest = max(float(value.abs().max()) for value in gradient.values())
        for name, value in gradient.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-10 * largest)


@pytest.mark.parametrize(("size_px", "count"), [(128, 3), (128, 1), (64, 2), (64, 1)])
def test_a_models_bits_do_not_depend_on_the_others(
    build_nano: Build, images: Tensor, size_px: int, count: int
) -> None:
    models = variants(build_nano, size_px)
    batch = images[:count, :, :size_px, :size_px]
    alone = [stacked([model], batch)[0] for model in models]
    for others in ([0, 1], [3, 2, 5], [4, 2], [5, 0, 4, 1, 3, 2]):
        for number, (logits, found) in zip(
            others, stacked([models[number] for number in others], batch), strict=True
        ):
            assert torch.equal(logits, alone[number][0])
            assert all(torch.equal(found[name], alone[number][1][name]) for name in found)


def loop(models: list[Segmenter], images: Tensor) -> list[Tensor]:
    return [model(images) for model in models]


def fifty_losses(models: list[Segmenter], batch: Tensor, logits_of: Forward) -> Tensor:
    """Training losses, 50xK."""
    trained = [p for model in models for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    lost = []
    for _ in range(50):
        optimizer.zero_grad()
        losses = torch.stack([loss(logits) for logits in logits_of(models, batch)])
        losses.sum().backward()
        optimizer.step()
        lost.append(losses.detach())
    return torch.stack(lost)


def test_fifty_steps_of_a_stack_lose_what_fifty_steps_alone_lose(
    build_double: Build, images: Tensor
) -> None:
    """Rounding is all that sets them apart, and training makes little of it in float64."""
    batch = images[:1, :, :64, :64].double()
    together, alone = (
        fifty_losses(
            [build_double(variant, image_size_px=64) for variant in (VARIANTS[0], VARIANTS[-1])],
            batch,
            logits_of,
        )
        for logits_of in (forward_together, loop)
    )
    torch.testing.assert_close(together, alone, rtol=1e-8, atol=0)
    assert (alone[-1] < 0.5 * alone[0]).all()


# What cannot be stacked -----------------------------------------------------------------------


class Doubled(nn.Module):
    """A wrapper that the stack does not know, in the place of a layer of a block."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.own = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x) * (1 + self.own)
        return out


def replace_a_layer(model: Segmenter) -> None:
    mlp = model.image_encoder.blocks[1].block.mlp
    mlp.lin1 = Doubled(mlp.lin1)


def wrap_a_block(model: Segmenter) -> None:
    blocks = model.image_encoder.blocks
    blocks[0] = nn.Sequential(blocks[0])


def unfreeze_the_neck(model: Segmenter) -> None:
    model.image_encoder.neck.requires_grad_(True)


def hook_a_layer(model: Segmenter) -> None:
    lin2 = model.image_encoder.blocks[1].block.mlp.lin2
    lin2.register_forward_hook(lambda _module, _inputs, out: 2 * out)


def change_a_window(model: Segmenter) -> None:
    model.image_encoder.blocks[0].block.window_size = 8


UNKNOWN = [replace_a_layer, wrap_a_block, unfreeze_the_neck, hook_a_layer, change_a_window]


@pytest.mark.parametrize("change", UNKNOWN)
def test_a_module_that_the_stack_does_not_know_is_computed_by_itself(
    build_nano: Build, images: Tensor, change: Callable[[Segmenter], None]
) -> None:
    models = [moved(build_nano(STRUCTURES["translandseg"]), number) for number in range(3)]
    assert all(map(can_stack, models))
    alone = [stacked([model], images)[0] for model in models]
    change(models[1])
    assert [can_stack(model) for model in models] == [True, False, True]
    together = stacked(models, images)
    for number in (0, 2):
        assert torch.equal(together[number][0], alone[number][0])
        expected = alone[number][1]
        assert all(
            torch.equal(value, expected[name]) for name, value in together[number][1].items()
        )
    logits = models[1](images)
    loss(logits).backward()
    assert torch.equal(together[1][0], logits.detach())
    gradient = gradients(models[1])
    assert together[1][1].keys() == gradient.keys()
    assert all(torch.equal(value, gradient[name]) for name, value in together[1][1].items())


def test_compiled_blocks_are_not_stacked(build_nano: Build) -> None:
    model = build_nano(DECODER_ONLY)
    model.image_encoder.blocks[2].compile(backend="eager")
    assert not can_stack(model)


def test_models_over_two_encoders_make_two_stacks(build_nano: Build, images: Tensor) -> None:
    variant, seed = STRUCTURES["translandseg"], 0
    other = {name: 1.1 * value for name, value in load_weights("vit_nano", None).items()}
    others = [
        build(each, "vit_nano", image_size_px=128, weights=other, seed=seed)
        for each in (variant, DECODER_ONLY)
    ]
    models = [build_nano(variant), others[0], build_nano(DECODER_ONLY), others[1]]
    with torch.no_grad():
        together = forward_together(models, images)
        alone = [forward_together([model], images)[0] for model in models]
    assert all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))
    assert not torch.allclose(together[0], together[1])


def test_only_small_sams_up_to_their_native_size_are_stacked(build_nano: Build) -> None:
    assert can_stack(build_nano(DECODER_ONLY, image_size_px=96))
    assert not can_stack(build_nano(DECODER_ONLY, image_size_px=160))
    assert not can_stack(build_cnn(DEEPLAB, None, seed=0))
    vit_b = model_without_values(DECODER_ONLY, "vit_b")
    assert isinstance(vit_b, Segmenter)
    assert not can_stack(vit_b)


def test_the_newest_stack_is_kept(build_nano: Build, images: Tensor) -> None:
    models = [build_nano(DECODER_ONLY), build_nano(STRUCTURES["translandseg"])]
    with torch.no_grad():
        forward_together(models, images)
        built = _newest.stacks.cache_info().misses
        forward_together(models, images)
        assert _newest.stacks.cache_info().misses == built
        forward_together(models[:1], images)
        assert _newest.stacks.cache_info().misses == built + 1
