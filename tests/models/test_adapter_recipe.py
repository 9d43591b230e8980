"""An adapter kind from outside the package takes its spec and its builder, and nothing else."""

from typing import Any, Literal

import pytest
import torch
from nano_helpers import Build
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from ablate.models import can_stack, count, forward_together, parts_of
from ablate.models.adapters import _BUILDERS, Adapted
from ablate.models.preflight import vacuous
from ablate.spec import Frozen, SamVariant
from ablate.spec.adapter import Cell
from structures import STRUCTURES


class ScaleAdapter(Frozen):
    """Each block's MLP gives more or less: its hidden channels are scaled."""

    kind: Literal["scale"] = "scale"
    start: float = 1.0

    def identity(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    def columns(self) -> dict[str, Cell]:
        return {"start": self.start}

    def describe(self) -> str:
        return f"scaled hidden channels, from {self.start:g}"


class Scaled(nn.Module):
    """A frozen layer whose output channels are scaled."""

    def __init__(self, layer: nn.Linear, scale: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.scale(self.layer(x))
        return out


class Scale(nn.Module):
    """One factor for each channel."""

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def insert_scales(adapter: ScaleAdapter, encoder: ImageEncoderViT) -> Adapted:
    scales: list[nn.Module] = []
    for block in encoder.blocks:
        layer = block.mlp.lin1
        scales.append(Scale(layer.out_features, adapter.start))
        block.mlp.lin1 = Scaled(layer, scales[-1])
    return Adapted(encoder, scales, len(scales))


@pytest.fixture(autouse=True)
def _register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_BUILDERS, "scale", insert_scales)


def scaled(start: float = 1.0) -> SamVariant:
    """As a sweep would declare it, if the kind were in the union of adapters."""
    return STRUCTURES["translandseg"].model_copy(update={"adapter": ScaleAdapter(start=start)})


def test_it_describes_itself() -> None:
    variant = scaled(0.5)
    assert variant.describe() == (
        "scaled hidden channels, from 0.5; trained: adapter, mask decoder"
    )
    assert (variant.columns()["adapter"], variant.columns()["start"]) == ("scale", 0.5)
    assert variant.identity("vit_l")["adapter"] == {"kind": "scale", "start": 0.5}


def test_it_is_counted_and_drawn() -> None:
    counted, model = count(scaled(), "vit_l"), parts_of(scaled(), "vit_l")
    assert (counted.adapter, counted.sites) == (24 * 4096, 24)
    assert counted.total == model.parameters == 308_278_272 + 4_058_340 + 24 * 4096
    (adapters,) = (part for part in model.parts if part.name == "adapters at 24 sites")
    assert (adapters.parameters, adapters.state) == (24 * 4096, "trained")
    (site,) = adapters.parts
    assert (site.name, site.module, site.shape) == ("in Block", "24 × Scale", "4096")


def test_it_is_built_trained_and_not_vacuous(build_nano: Build) -> None:
    model = build_nano(scaled())
    assert sum(value.numel() for each in model.adapters for value in each.parameters()) == 4 * 384
    assert vacuous({"scaled": scaled(), "other": scaled(0.5)}) == []


def test_it_is_computed_beside_models_that_are_stacked(build_nano: Build, images: Tensor) -> None:
    models = [build_nano(STRUCTURES["translandseg"]), build_nano(scaled(0.9))]
    assert [can_stack(model) for model in models] == [True, False]
    plain, own = forward_together(models, images)
    assert torch.equal(own, models[1](images))
    assert torch.equal(plain, forward_together(models[:1], images)[0])
    own.mean().backward()
    assert all(each.factor.grad.any() for each in models[1].adapters)
