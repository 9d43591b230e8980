"""Methods of Hugging Face's peft on SAM's linear layers; ``peft`` is imported only in functions."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from segment_anything.modeling import ImageEncoderViT, MaskDecoder
from segment_anything.modeling.common import MLPBlock
from segment_anything.modeling.transformer import Attention
from torch import nn

from ablate.errors import BadInput
from ablate.models.projections import SplitProjection
from ablate.spec import PeftAdapter, PeftTarget, chosen_blocks

# What the mask decoder's attentions call the layers.
_IN_DECODER: dict[PeftTarget, str] = {
    "q": "q_proj",
    "k": "k_proj",
    "v": "v_proj",
    "proj": "out_proj",
}


def adapt_encoder(adapter: PeftAdapter, encoder: ImageEncoderViT) -> tuple[list[nn.Module], int]:
    """Adapts linear layers of an image encoder in place.

    Args:
        adapter: The method and the layers.
        encoder: SAM's own, frozen.

    Returns:
        What was added, one module for each layer, and how many layers are adapted.

    Raises:
        BadInput: If peft is not installed, or a site is not a block.
    """
    if adapter.on == "decoder":
        return [], 0
    layers: list[nn.Module] = []
    for number in chosen_blocks(adapter.sites, len(encoder.blocks)):
        block = encoder.blocks[number]
        attention, mlp = block.attn, block.mlp
        if {"q", "k", "v"} & set(adapter.target):
            attention.qkv = SplitProjection(attention.qkv)
        for target in adapter.target:
            owner = {"proj": attention, "lin1": mlp, "lin2": mlp}.get(target) or attention.qkv
            layers.append(getattr(owner, target))
    return _inject(adapter, encoder, layers)


def adapt_decoder(adapter: PeftAdapter, decoder: MaskDecoder) -> tuple[list[nn.Module], int]:
    """Adapts linear layers of all attentions and MLPs of a mask decoder in place.

    Args:
        adapter: The method and the layers.
        decoder: SAM's own, frozen.

    Returns:
        As ``adapt_encoder``.

    Raises:
        BadInput: If peft is not installed.
    """
    if adapter.on == "encoder":
        return [], 0
    layers: list[nn.Module] = []
    for module in decoder.transformer.modules():
        for target in adapter.target:
            if isinstance(module, Attention) and target in _IN_DECODER:
                layers.append(getattr(module, _IN_DECODER[target]))
            if isinstance(module, MLPBlock) and target not in _IN_DECODER:
                layers.append(getattr(module, target))
    return _inject(adapter, decoder, layers)


def _inject(
    adapter: PeftAdapter, model: nn.Module, layers: Sequence[nn.Module]
) -> tuple[list[nn.Module], int]:
    """Lets peft wrap layers of a model that has no adapted ones yet."""
    peft = import_peft()
    names = [name for name, module in model.named_modules() if module in set(layers)]
    peft.inject_adapter_in_model(_config(adapter, names), model)
    # A note for peft's own saving, which is not used: SAM's modules keep their own attributes.
    del model.peft_config
    added = [_added(layer) for layer in peft_layers(model)]
    if len(added) != len(names):
        raise AssertionError(f"peft adapted {len(added)} of {len(names)} layers")
    return added, len(added)


def _added(layer: Any) -> nn.Module:
    """What peft has added to a layer, as one module.

    The layer owns these modules and names their parameters. What peft makes in the precision of a
    layer's weight is raised to float32, in which trained parameters are.
    """
    parts = {
        name: getattr(layer, name)
        for name in dict.fromkeys(layer.adapter_layer_names)
        if isinstance(getattr(layer, name, None), nn.Module)
    }
    with_parameters = {name: part for name, part in parts.items() if list(part.parameters())}
    return nn.ModuleDict(with_parameters).float()


def _config(adapter: PeftAdapter, names: Iterable[str]) -> Any:
    """The method's configuration in peft; dropout is off in all of them."""
    peft = import_peft()
    names = list(names)
    rank, alpha = adapter.effective_rank, adapter.effective_alpha
    # As an expression: peft takes names in a list for endings, and searches for shorter ones.
    shared = {"target_modules": _any_of(names)}
    match adapter.method:
        case "lora":
            return peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, **shared)
        case "dora":
            return peft.LoraConfig(
                r=rank, lora_alpha=alpha, lora_dropout=0.0, use_dora=True, **shared
            )
        case "ia3":
            second = [name for name in names if name.endswith("lin2")]
            return peft.IA3Config(feedforward_modules=_any_of(second), **shared)
        case "loha":
            return peft.LoHaConfig(r=rank, alpha=alpha, **shared)
        case "lokr":
            return peft.LoKrConfig(r=rank, alpha=alpha, **shared)
        case "hira":
            return peft.HiraConfig(r=rank, **shared)
        case "delora":
            return peft.DeloraConfig(r=rank, **shared)
        case "miss":
            return peft.MissConfig(r=rank, **shared)


def _any_of(names: Iterable[str]) -> str:
    """An expression that matches these names and no others; nothing where there are none."""
    return "|".join(re.escape(name) for name in names) or r"(?!)"


def peft_layers(model: nn.Module) -> list[Any]:
    """The layers of a model that peft has adapted; none where peft was never imported."""
    tuners = sys.modules.get("peft.tuners.tuners_utils")
    if tuners is None:
        return []
    return [module for module in model.modules() if isinstance(module, tuners.BaseTunerLayer)]


def import_peft() -> Any:
    """The package.

    Raises:
        BadInput: If it is not installed.
    """
    try:
        import peft
        import peft.tuners.tuners_utils
    except ImportError as error:
        raise BadInput(
            f"adapter.kind is peft, and the package peft cannot be imported ({error})",
            "pip install 'ablate[peft]'",
        ) from None
    return peft
