"""No ablation is vacuous: variants are built small and tried before anything is trained."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ablate.models.sam import build, load_weights
from ablate.models.segmenter import Segmenter
from ablate.spec import BACKBONES, BackboneName, Variant

_BACKBONE: BackboneName = "vit_nano"
_IMAGES = 2
# Moves trained parameters off their start, where a zero up-projection hides everything below.
_SCATTER = 0.1


def vacuous(rows: Mapping[str, Variant]) -> list[str]:
    """What is wrong with the variants of a sweep, one line each; empty if all is well.

    Each variant is built on SAM-nano in float64, its trained parameters are moved off their
    start, and one gradient is taken. Then

    - the parts that it trains must be trainable and everything else frozen,
    - every trained parameter must get a gradient (but for those that no single mask can reach,
      ``Segmenter.unreached``),
    - no two variants may compute the same from the same random numbers: what tells them apart in
      the registry would change nothing in the model.

    Args:
        rows: The variants of the sweep by name.
    """
    images = _images()
    problems: list[str] = []
    seen: dict[bytes, str] = {}
    for name, variant in rows.items():
        model = build(
            variant,
            _BACKBONE,
            image_size_px=BACKBONES[_BACKBONE].image_size_px,
            weights=load_weights(_BACKBONE, None),
            seed=0,
        ).double()
        problems += [f"{name}: {problem}" for problem in _wrongly_frozen(model, variant)]
        _scatter(model)
        logits = model(images)
        logits.square().mean().backward()
        problems += [f"{name}: {problem}" for problem in _without_gradient(model)]
        # The parts that are trained count too: they decide what the training makes of the logits.
        outcome = logits.detach().numpy().tobytes() + repr(sorted(variant.trained)).encode()
        if outcome in seen:
            problems.append(
                f"{name}: computes exactly what {seen[outcome]} computes; "
                "the fields in which they differ change nothing"
            )
        seen.setdefault(outcome, name)
    return problems


def _images() -> Tensor:
    """Random normalised images, Bx3xSxS, always the same."""
    side = BACKBONES[_BACKBONE].image_size_px
    generator = torch.Generator().manual_seed(0)
    return torch.randn(_IMAGES, 3, side, side, dtype=torch.float64, generator=generator)


def _scatter(model: Segmenter) -> None:
    """Adds noise to every trained parameter; equal models get equal noise."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
                parameter.add_(_SCATTER * noise)


def _wrongly_frozen(model: Segmenter, variant: Variant) -> list[str]:
    """Parameters whose state is not what ``trained`` says."""
    parts = {
        "adapter": [p for adapter in model.adapters for p in adapter.parameters()],
        "mask_decoder": list(model.mask_decoder.parameters()),
        # A buffer, and so no parameter, where it is not trained.
        "no_mask_embedding": [model.no_mask] if isinstance(model.no_mask, nn.Parameter) else [],
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


def _without_gradient(model: Segmenter) -> list[str]:
    unreached = model.unreached()
    return [
        f"{name} gets no gradient: it is built but never used"
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and name not in unreached
        and (parameter.grad is None or not parameter.grad.any())
    ]
