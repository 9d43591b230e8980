"""Adapters and where they sit in SAM's image encoder.

Maps inside the encoder are BxHxWxM: B images, HxW tokens, M channels (``Backbone.width``).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder
from torch import Tensor, nn

from ablate.models.atl_released import PromptedEncoder, Prompts
from ablate.models.block_adapters import (
    insert_adaptformer,
    insert_bottlenecks,
    insert_scale_and_shift,
)
from ablate.models.blocks import attend
from ablate.models.midlays import ConvMidLay, linear_midlay
from ablate.models.peft_adapter import adapt_decoder, adapt_encoder
from ablate.spec import (
    Adapter,
    AdaptFormerAdapter,
    AtlAdapter,
    AtlReleasedAdapter,
    BottleneckAdapter,
    MidLay,
    NoAdapter,
    PeftAdapter,
    SsfAdapter,
    chosen_blocks,
)


def _linear_midlay(adapter: AtlAdapter) -> nn.Module:
    return linear_midlay(adapter.width)


def _conv_midlay(adapter: AtlAdapter) -> nn.Module:
    d, k = adapter.width, adapter.kernel_size
    return ConvMidLay(nn.Conv2d(d, d, k, padding=k // 2))


_MIDLAYS: dict[MidLay, Callable[[AtlAdapter], nn.Module]] = {
    "m": _linear_midlay,
    "c": _conv_midlay,
}


class Atl(nn.Module):
    """The adaptive transfer learning layer, Eq. 5.

    Θ(X) = L_up(MidLays(L_down(X))); Ω(X) = Θ(X) + X with the residual connection, Θ(X) without.

    Args:
        adapter: The layers, their width and their initialisation.
        channels: Channels M of the map.
    """

    def __init__(self, adapter: AtlAdapter, channels: int) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.down = nn.Linear(channels, adapter.width)
        self.midlays = nn.Sequential(*(_MIDLAYS[midlay](adapter) for midlay in adapter.midlays))
        self.up = nn.Linear(adapter.width, channels)
        self.residual = adapter.residual
        if adapter.effective_up_init == "zero":
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        theta: Tensor = self.up(self.midlays(self.down(x)))
        # x comes first in every sum, as in SAM: a sum takes its first operand's memory layout,
        # and the neck's convolution rounds otherwise in another layout.
        return x + theta if self.residual else theta


class OutsideAtl(nn.Module):
    """An ATL before a transformer block, Eqs. 6, 7, 14: Φ_i = τ_i(Ω(Φ_{i-1})).

    Args:
        block: One of SAM's own encoder blocks, τ_i.
        atl: Ω or Θ.
    """

    def __init__(self, block: nn.Module, atl: Atl) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.atl = atl
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        out: Tensor = self.block(self.atl(x))
        return out


class InsideAtl(nn.Module):
    """An ATL between a transformer block's attention and its MLP, Eqs. 11-13, 15.

    x_A = MSA(LN(x)); x'_A = Ω(x_A) or Θ(x_A); x_T = x'_A + x; out = MLP(LN(x_T)) + x_T.
    The windows are joined before the ATL, so that a convolution sees the neighbours across a
    window's border and never a window's padding.

    Args:
        block: One of SAM's own encoder blocks; its submodules are used, its forward is not.
        atl: Ω or Θ.
    """

    def __init__(self, block: nn.Module, atl: Atl) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.block = block
        self.atl = atl

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        x = x + self.atl(attend(block, x))
        out: Tensor = x + block.mlp(block.norm2(x))
        return out


_PLACEMENTS: dict[str, Callable[[nn.Module, Atl], nn.Module]] = {
    "outside": OutsideAtl,
    "inside": InsideAtl,
}


class Adapted(NamedTuple):
    """An encoder with adapters.

    Attributes:
        encoder: Maps Bx3xSxS to BxCxhxw, as SAM's own does.
        adapters: The modules that were added; their parameters are parts of ``encoder``, or of the
            mask decoder.
        sites: How many places they change.
    """

    encoder: nn.Module
    adapters: list[nn.Module]
    sites: int


def _insert_atl(adapter: AtlAdapter, encoder: ImageEncoderViT) -> Adapted:
    """Wraps the blocks at the adapter's sites, each with its own ATL."""
    atls: list[nn.Module] = []
    for number in chosen_blocks(adapter.sites, len(encoder.blocks)):
        atl = Atl(adapter, encoder.pos_embed.shape[-1])
        encoder.blocks[number] = _PLACEMENTS[adapter.placement](encoder.blocks[number], atl)
        atls.append(atl)
    return Adapted(encoder, atls, len(atls))


def _insert_prompts(adapter: AtlReleasedAdapter, encoder: ImageEncoderViT) -> Adapted:
    prompted = PromptedEncoder(encoder, Prompts(adapter, encoder))
    return Adapted(prompted, [prompted.prompts], len(encoder.blocks))


def _insert_peft(adapter: PeftAdapter, encoder: ImageEncoderViT) -> Adapted:
    return Adapted(encoder, *adapt_encoder(adapter, encoder))


def _insert_adaptformer(adapter: AdaptFormerAdapter, encoder: ImageEncoderViT) -> Adapted:
    added = insert_adaptformer(adapter, encoder)
    return Adapted(encoder, added, len(added))


def _insert_scale_and_shift(adapter: SsfAdapter, encoder: ImageEncoderViT) -> Adapted:
    added = insert_scale_and_shift(adapter, encoder)
    return Adapted(encoder, added, len(added))


def _insert_bottlenecks(adapter: BottleneckAdapter, encoder: ImageEncoderViT) -> Adapted:
    added = insert_bottlenecks(adapter, encoder)
    return Adapted(encoder, added, len(added))


def _insert_nothing(adapter: NoAdapter, encoder: ImageEncoderViT) -> Adapted:
    return Adapted(encoder, [], 0)


# An adapter kind is a builder that changes the encoder.
_BUILDERS: dict[str, Callable[[Any, ImageEncoderViT], Adapted]] = {
    "atl": _insert_atl,
    "atl-released": _insert_prompts,
    "adaptformer": _insert_adaptformer,
    "ssf": _insert_scale_and_shift,
    "bottleneck": _insert_bottlenecks,
    "peft": _insert_peft,
    "none": _insert_nothing,
}


def insert(
    adapter: Adapter, encoder: ImageEncoderViT, seed: int, decoder: MaskDecoder | None = None
) -> Adapted:
    """Inserts adapters into a SAM; their parameters are made on the CPU.

    Args:
        adapter: What to insert.
        encoder: SAM's encoder; its blocks are wrapped in place.
        seed: Decides the initialisation alone: the global generator is left as it was.
        decoder: SAM's mask decoder, which few adapters change; None: it is left as it is.

    Returns:
        The encoder to use from here on, and what was added to it and to the decoder.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would also reseed the accelerators, which are not forked.
        torch.default_generator.manual_seed(seed)
        adapted = _BUILDERS[adapter.kind](adapter, encoder)
        if decoder is None or not isinstance(adapter, PeftAdapter):
            return adapted
        added, sites = adapt_decoder(adapter, decoder)
    return Adapted(adapted.encoder, [*adapted.adapters, *added], adapted.sites + sites)
