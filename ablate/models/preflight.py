"""No ablation is vacuous: every variant is built small and tested before anything is trained."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ablate.models.cnn import Cnn, build_cnn
from ablate.models.encoder_values import encoder_values
from ablate.models.interface import SegmentationModel
from ablate.models.sam import build, load_weights, with_random_encoder
from ablate.models.segmenter import Segmenter
from ablate.models.stack import without_prompts
from ablate.spec import BACKBONES, BackboneName, CnnVariant, SamVariant, Variant

_BACKBONE: BackboneName = "vit_nano"
_IMAGES = 2
# The smallest size at which a CNN baseline's last feature map has more than one pixel.
_CNN_SIZE_PX = 64
# Moves trained parameters off their start, where a zero up-projection hides everything below.
_SCATTER = 0.1


def vacuous(rows: Mapping[str, Variant]) -> list[str]:
    """What is wrong with the variants of a sweep, one line each; empty if all is well.

    Each variant that is trained is built small (SAM-nano in float64; a CNN baseline at 64 px) and
    one gradient is taken; parameters whose initial value could hide others are changed first. Then

    - the parts that it trains must be trainable and everything else frozen,
    - every trained parameter must get a gradient (but for those that no single mask can reach,
      ``Segmenter.parameters_without_gradient``),
    - no two variants may compute the same from the same random numbers: the fields in which they
      differ would change nothing in the model.

    Args:
        rows: The variants of the sweep by name.
    """
    problems: list[str] = []
    seen: dict[bytes, str] = {}
    model: SegmentationModel
    weights = load_weights(_BACKBONE, None)
    for name, variant in rows.items():
        if isinstance(variant, SamVariant):
            model, wrongly_frozen = _sam(_small(variant), weights)
        elif isinstance(variant, CnnVariant):
            model, wrongly_frozen = _cnn(variant)
        else:
            # It trains nothing, and its prompts are part of its identity.
            continue
        problems += [f"{name}: {problem}" for problem in wrongly_frozen]
        outcome = _one_gradient(model) + repr(_beyond_comparison(variant)).encode()
        problems += [f"{name}: {problem}" for problem in _without_gradient(model)]
        if outcome in seen:
            problems.append(
                f"{name}: computes exactly what {seen[outcome]} computes; "
                "the fields in which they differ change nothing"
            )
        seen.setdefault(outcome, name)
    return problems


def _small(variant: SamVariant) -> SamVariant:
    """The variant with sites that SAM-nano has: its blocks are counted through again and again."""
    sites = getattr(variant.adapter, "sites", "all")
    if isinstance(sites, str):
        return variant
    small = tuple(sorted({number % BACKBONES[_BACKBONE].depth for number in sites}))
    adapter = variant.adapter.model_copy(update={"sites": small})
    return variant.model_copy(update={"adapter": adapter})


def _beyond_comparison(variant: Variant) -> tuple[object, ...]:
    """What sets variants apart that compute the same here: trained parts, and sites in a list."""
    if not isinstance(variant, SamVariant):
        return ()
    sites = getattr(variant.adapter, "sites", "all")
    return sorted(variant.trained), None if _small(variant) is variant else sorted(sites)


def _sam(variant: SamVariant, weights: Mapping[str, Tensor]) -> tuple[Segmenter, list[str]]:
    """A variant on SAM-nano, its parameters scattered, and what is wrongly frozen in it."""
    if variant.encoder_weights == "random":
        weights = with_random_encoder(weights, _BACKBONE, seed=0)
    size_px = BACKBONES[_BACKBONE].image_size_px
    model = build(variant, _BACKBONE, image_size_px=size_px, weights=weights, seed=0).double()
    wrongly_frozen = _wrongly_frozen(model, variant)
    _scatter(value for value in model.parameters() if value.requires_grad)
    return model, wrongly_frozen


def _cnn(variant: CnnVariant) -> tuple[Cnn, list[str]]:
    """A CNN baseline, its zeros scattered, and what is frozen in it: nothing may be."""
    model = build_cnn(variant, None, seed=0)
    frozen = [name for name, value in model.named_parameters() if not value.requires_grad]
    # Only what starts at zero hides something; noise on all weights would drown a deep network.
    _scatter(value for value in model.parameters() if not value.any())
    return model, [f"{name} is to be trained but frozen" for name in frozen]


def _one_gradient(model: SegmentationModel) -> bytes:
    """Takes the gradient of one step; returns weights and logits as bytes, to compare models."""
    is_cnn = isinstance(model, Cnn)
    side = _CNN_SIZE_PX if is_cnn else BACKBONES[_BACKBONE].image_size_px
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(_IMAGES, 3, side, side, dtype=torch.float64, generator=generator)
    # Dropout draws from the global generator, which is left as it was.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        weighted = model.weighted_logits(images.float() if is_cnn else images)
    losses: list[Tensor] = [weight * logits.square().mean() for weight, logits in weighted]
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    return b"".join(
        repr(weight).encode() + logits.detach().numpy().tobytes() for weight, logits in weighted
    )


def _scatter(parameters: Iterable[nn.Parameter]) -> None:
    """Adds noise to parameters; equal models get equal noise."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters:
            noise = torch.randn(parameter.shape, dtype=parameter.dtype, generator=generator)
            parameter.add_(_SCATTER * noise)


def _wrongly_frozen(model: Segmenter, variant: SamVariant) -> list[str]:
    """Parameters whose state is not what ``trained`` says."""
    adapters = [p for adapter in model.adapters for p in adapter.parameters()]
    in_adapters = set(adapters)
    encoder: Any = without_prompts(model.image_encoder)
    parts: dict[str, list[nn.Parameter]] = {
        "adapter": adapters,
        "mask_decoder": [p for p in model.mask_decoder.parameters() if p not in in_adapters],
        # A buffer, and so no parameter, where it is not trained.
        "no_mask_embedding": [model.no_mask] if isinstance(model.no_mask, nn.Parameter) else [],
        **encoder_values(encoder, in_adapters),
    }
    expected = {id(p) for part in variant.trained for p in parts[part]}
    owned = {id(p) for parameters in parts.values() for p in parameters}
    problems = []
    for name, parameter in model.named_parameters():
        if id(parameter) in expected and not parameter.requires_grad:
            problems.append(f"{name} is to be trained but frozen")
        if parameter.requires_grad and id(parameter) in owned - expected:
            problems.append(f"{name} is to be frozen but trained")
    problems += [
        f"trains {part}, but it has no parameters" for part in variant.trained if not parts[part]
    ]
    return problems


def _without_gradient(model: SegmentationModel) -> list[str]:
    parameters_without_gradient = model.parameters_without_gradient()
    return [
        f"{name} gets no gradient: it is built but never used"
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and name not in parameters_without_gradient
        and (parameter.grad is None or not parameter.grad.any())
    ]
