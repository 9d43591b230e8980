"""Adapters that are linear in their layer, put into the layer's own weights."""

import copy

from torch import nn

from ablate.errors import BadInput
from ablate.models.block_adapters import Modulated
from ablate.models.peft_adapter import peft_layers
from ablate.models.projections import SplitProjection
from ablate.models.segmenter import Segmenter


def merged(model: Segmenter) -> Segmenter:
    """A copy without adapters that computes the same but for rounding.

    Its modules are SAM's own, with names and shapes of SAM's state dict.

    Args:
        model: With adapters of kind ``peft`` or ``ssf``; it is left as it is.

    Raises:
        BadInput: If an adapter is not linear in a layer of SAM, and stays beside it.
    """
    layers = [*peft_layers(model), *_modulated(model)]
    in_layers = {value for layer in layers for value in layer.parameters()}
    of_adapters = {value for adapter in model.adapters for value in adapter.parameters()}
    for name, value in model.named_parameters():
        if value in of_adapters - in_layers:
            raise BadInput(
                f"the adapter's {name} cannot be put into a weight of SAM",
                "keep the adapter, or merge a variant whose adapter is of kind peft or ssf",
            )
    plain = copy.deepcopy(model)
    inside: dict[nn.Module, nn.Module] = {each: each.merged() for each in _modulated(plain)}
    for layer in peft_layers(plain):
        layer.merge()
        inside[layer] = layer.get_base_layer()
    _replace(plain, inside)
    fused = [each for each in plain.modules() if isinstance(each, SplitProjection)]
    _replace(plain, {each: each.fused() for each in fused})
    plain.adapters = ()
    plain.sites = 0
    return plain


def _modulated(model: nn.Module) -> list[Modulated]:
    return [module for module in model.modules() if isinstance(module, Modulated)]


def _replace(model: nn.Module, others: dict[nn.Module, nn.Module]) -> None:
    """Puts other modules in the places of some."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child in others:
                setattr(parent, name, others[child])
