"""Several variants at once, against each by itself."""

from collections.abc import Iterator

import pytest
import torch
from nano_helpers import Build, scatter
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.models import Segmenter, Stack, build
from ablate.spec import SamVariant
from structures import DECODER_ONLY, STRUCTURES, released

VARIANTS = [
    *(STRUCTURES[name] for name in ("translandseg", "translandseg-5", "translandseg-9")),
    released(("m",)),
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
    """Nothing that is trained stays where it started, or is what another variant has."""
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
    logits = Stack(models)(images)
    torch.autograd.backward([loss(each) for each in logits])
    return [(each.detach(), gradients(model)) for each, model in zip(logits, models, strict=True)]


@pytest.fixture
def build_double(nano_weights: dict[str, Tensor]) -> Build:
    """In float64, over one trunk."""
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
def test_a_variants_bits_do_not_depend_on_its_company(
    build_nano: Build, images: Tensor, size_px: int, count: int
) -> None:
    models = variants(build_nano, size_px)
    batch = images[:count, :, :size_px, :size_px]
    alone = [stacked([model], batch)[0] for model in models]
    for company in ([0, 1], [3, 2, 4], [4, 0, 1, 3, 2]):
        for number, (logits, found) in zip(
            company, stacked([models[number] for number in company], batch), strict=True
        ):
            assert torch.equal(logits, alone[number][0])
            assert all(torch.equal(found[name], alone[number][1][name]) for name in found)


def fifty_losses(models: list[Segmenter], batch: Tensor, *, stack: bool) -> Tensor:
    """What training loses, 50xK."""
    trained = [p for model in models for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    all_logits = Stack(models) if stack else lambda batch: [model(batch) for model in models]
    lost = []
    for _ in range(50):
        optimizer.zero_grad()
        losses = torch.stack([loss(logits) for logits in all_logits(batch)])
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
            stack=stack,
        )
        for stack in (True, False)
    )
    torch.testing.assert_close(together, alone, rtol=1e-8, atol=0)
    assert (alone[-1] < 0.5 * alone[0]).all()
