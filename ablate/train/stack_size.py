"""How many small models fit into memory together."""

from collections.abc import Callable

import torch
from torch import nn

from ablate.models.devices import free_bytes

# Several workers measure at the same time, and a step needs more than what is held.
_SHARE = 0.2


def fitting(model: nn.Module, forward: Callable[[], object], device: torch.device) -> int | None:
    """How many models like this one could go forward together, and then backward.

    Args:
        model: Its own parameters do not count: they are in memory already.
        forward: Computes what is to be differentiated.
        device: What the model is on.

    Returns:
        At least 1; None where the free memory is not known.
    """
    free = free_bytes(device)
    return None if free is None else max(1, int(_SHARE * free) // _held_bytes(model, forward))


def _held_bytes(model: nn.Module, forward: Callable[[], object]) -> int:
    """What autograd keeps from a forward pass for the backward pass."""
    own = {value.untyped_storage().data_ptr() for value in model.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        # Kept until all is counted: freed memory would be reused under the same address.
        kept = forward()
    del kept
    return max(1, sum(held.values()))
