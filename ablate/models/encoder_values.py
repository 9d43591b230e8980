"""The parameters of SAM's own image encoder, by what they are."""

from collections.abc import Collection

from segment_anything.modeling.common import LayerNorm2d
from torch import nn


def encoder_values(
    encoder: nn.Module, in_adapters: Collection[nn.Parameter]
) -> dict[str, list[nn.Parameter]]:
    """The parameters that a variant may train, by part: by module, never by a parameter's name.

    Args:
        encoder: SAM's own, perhaps with adapters in it.
        in_adapters: Parameters of the adapters, which are none of the encoder's own.

    Returns:
        ``encoder_norms``: of its LayerNorms; ``encoder_biases``: what its layers and LayerNorms
        add; ``encoder``: all.
    """
    norms: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
    for module in encoder.modules():
        own = dict(module.named_parameters(recurse=False))
        if isinstance(module, nn.LayerNorm | LayerNorm2d):
            norms += own.values()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.LayerNorm | LayerNorm2d):
            biases += [value for name, value in own.items() if name == "bias"]
    parts = {
        "encoder_norms": norms,
        "encoder_biases": biases,
        "encoder": list(encoder.parameters()),
    }
    return {
        part: [value for value in values if value not in in_adapters]
        for part, values in parts.items()
    }
