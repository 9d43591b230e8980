"""Compiling what a training repeats most: the blocks of an encoder."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ablate.errors import BadInput
from ablate.models.atl_released import PromptedEncoder
from ablate.models.attention import ExactAttention
from ablate.models.cnn import Cnn
from ablate.models.interface import SegmentationModel

# Graphs of one function; torch's default is 8. Ten variants of SAM need about a hundred:
# window or global, input with or without gradient, two sizes of batches, training or validation.
_GRAPHS = 4096
_REPAIR = "install one, or leave the protocol's `compile` at false"


def compile_blocks(model: SegmentationModel) -> None:
    """Compiles each block of a model's encoder by ``torch.compile``, in place.

    Of SAM these are the transformer blocks, adapters in and before them included, and the MidLays
    of the released adapter's prompts; of a CNN baseline the residual blocks of its ResNet. Blocks
    that differ in values alone share one graph, across variants too. Shapes are static: batches of
    another size (the last of an epoch may be smaller) get a graph of their own. Modules,
    parameters and their names do not change, and results are equal but for rounding.

    ``ExactAttention`` is left as it is: its loop over parts of the scores would be unrolled into
    hundreds of steps.

    On a CPU it hardly pays: forward and backward through ViT-B's blocks with an ATL at 1024x1024,
    float32, on one thread, take 0.96 (window) and 0.99 (global) of the CPU time of uncompiled ones
    (medians of three); the first call took a minute of a busy machine. No GPU has been measured.

    Args:
        model: On the device that it is to compute on.

    Raises:
        BadInput: If the device's compiler is missing.
    """
    _check_compiler(next(model.parameters()).device)
    # Without these, torch would stop compiling silently after a few graphs.
    torch._dynamo.config.recompile_limit = _GRAPHS
    torch._dynamo.config.accumulated_recompile_limit = _GRAPHS
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    uncompiled: Any = torch.compiler.disable
    for module in model.modules():
        if isinstance(module, ExactAttention):
            # On the instance: models that are not compiled keep the class's own.
            module.__dict__["forward"] = uncompiled(module.forward)
    for block in _blocks(model):
        block.compile(dynamic=False)


def _blocks(model: SegmentationModel) -> Iterator[nn.Module]:
    if isinstance(model, Cnn):
        resnet = model.encoder
        for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            yield from stage.children()
        return
    encoder = model.get_submodule("image_encoder")
    if isinstance(encoder, PromptedEncoder):
        yield from encoder.prompts.midlays
        encoder = encoder.encoder
    yield from encoder.get_submodule("blocks").children()


def _check_compiler(device: torch.device) -> None:
    """Fails now, in one line, instead of in the first step."""
    # Imported here: it takes seconds, and few protocols compile.
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler
    from torch.utils._triton import has_triton

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise BadInput(
            "the protocol says compile: true, but there is no C++ compiler", _REPAIR
        ) from None
    if device.type == "cuda" and not has_triton():
        raise BadInput(
            f"the protocol says compile: true, but Triton cannot be used on {device}", _REPAIR
        )
