"""Adapters that are linear in their layer, put into the layer's own weights."""

import copy
from typing import Any

from torch import nn

from ablate.errors import BadInput
from ablate.models.peft_adapter import peft_layers
from ablate.models.projections import SplitProjection
from ablate.models.segmenter import Segmenter


def merged(model: Segmenter) -> Segmenter:
    """A copy without adapters that computes the same but for rounding.

    Its modules are SAM's own, with names and shapes of SAM's state dict.

    Args:
        model: With adapters of a method of peft; it is left as it is.

    Raises:
        BadInput: If an adapter is not linear in a layer of SAM, and stays beside it.
    """
    layers = peft_layers(model)
    in_layers = {value for layer in layers for value in layer.parameters()}
    kept = [name for name, value in model.named_parameters() if value in _of_adapters(model)]
    if beside := [name for name in kept if model.get_parameter(name) not in in_layers]:
        raise BadInput(
            f"the adapter's {beside[0]} cannot be put into a weight of SAM",
            "keep the adapter, or merge a variant whose adapter is of kind peft",
        )
    plain = copy.deepcopy(model)
    for merged_layer in (adapted := peft_layers(plain)):
        merged_layer.merge()
    _replace(plain, adapted)
    plain.adapters = ()
    plain.sites = 0
    return plain


def _of_adapters(model: Segmenter) -> set[nn.Parameter]:
    return {value for adapter in model.adapters for value in adapter.parameters()}


def _replace(model: nn.Module, layers: list[Any]) -> None:
    """Puts the merged layers of SAM in the places of those around them, and fuses q, k and v."""
    inside = {layer: layer.get_base_layer() for layer in layers}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in inside:
                setattr(parent, name, inside[child])
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, SplitProjection):
                setattr(parent, name, child.fused())
