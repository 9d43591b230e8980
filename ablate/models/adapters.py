"""Adapters and where they sit in SAM's image encoder.

Maps inside the encoder are BxHxWxM: B images, HxW tokens, M channels (``Backbone.width``).
"""

from collections.abc import Callable
from typing import Any

import torch
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.image_encoder import window_partition, window_unpartition
from torch import Tensor, nn

from ablate.spec import Adapter, AtlAdapter, MidLay, NoAdapter


class ConvMidLay(nn.Module):
    """MidLay c: convolution, LayerNorm over the channels, GELU (Fig. 2).

    Args:
        width: Channels d of the map.
        kernel_size: Side of the convolution, in tokens; odd.
    """

    def __init__(self, width: int, kernel_size: int) -> None:
        """Starts as PyTorch starts convolutions and SAM starts the LayerNorm of its neck."""
        super().__init__()
        self.conv = nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2)
        self.norm = LayerNorm2d(width)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxd to BxHxWxd."""
        x = self.act(self.norm(self.conv(x.permute(0, 3, 1, 2))))
        return x.permute(0, 2, 3, 1)


def _linear_midlay(adapter: AtlAdapter) -> nn.Module:
    """MidLay m: Linear, GELU (Fig. 2)."""
    return nn.Sequential(nn.Linear(adapter.width, adapter.width), nn.GELU())


def _conv_midlay(adapter: AtlAdapter) -> nn.Module:
    return ConvMidLay(adapter.width, adapter.kernel_size)


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
    The windows are put together again before the ATL, so that a convolution sees the neighbours
    across a window's border and never a window's padding.

    Args:
        block: One of SAM's own encoder blocks; its submodules are used, its forward is not.
        atl: Ω or Θ.
    """

    def __init__(self, block: nn.Module, atl: Atl) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.block = block
        self.atl = atl

    def _attend(self, x: Tensor) -> Tensor:
        """MSA of a BxHxWxM map, window by window where the block has windows."""
        block: Any = self.block
        if block.window_size == 0:
            whole: Tensor = block.attn(x)
            return whole
        size = x.shape[1:3]
        windows, padded_size = window_partition(x, block.window_size)
        attended = block.attn(windows)
        joined: Tensor = window_unpartition(attended, block.window_size, padded_size, size)
        return joined

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        x = x + self.atl(self._attend(block.norm1(x)))
        out: Tensor = x + block.mlp(block.norm2(x))
        return out


_PLACEMENTS: dict[str, Callable[[nn.Module, Atl], nn.Module]] = {
    "outside": OutsideAtl,
    "inside": InsideAtl,
}


def _insert_atl(adapter: AtlAdapter, blocks: nn.ModuleList, channels: int) -> list[nn.Module]:
    """Wraps every block, the first included, with an ATL of its own."""
    atls: list[nn.Module] = []
    for index, block in enumerate(blocks):
        atl = Atl(adapter, channels)
        blocks[index] = _PLACEMENTS[adapter.placement](block, atl)
        atls.append(atl)
    return atls


def _insert_nothing(adapter: NoAdapter, blocks: nn.ModuleList, channels: int) -> list[nn.Module]:
    return []


# An adapter kind is a builder that wraps the blocks in place and returns its sites' modules.
_BUILDERS: dict[str, Callable[[Any, nn.ModuleList, int], list[nn.Module]]] = {
    "atl": _insert_atl,
    "none": _insert_nothing,
}


def insert(adapter: Adapter, blocks: nn.ModuleList, channels: int, seed: int) -> list[nn.Module]:
    """Inserts adapters into an encoder's blocks, on the CPU.

    Args:
        adapter: What to insert.
        blocks: The encoder's blocks; they are wrapped in place.
        channels: Channels M of the encoder.
        seed: Decides the initialisation alone: the global generator is left as it was.

    Returns:
        The adapters, one module for each site.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would also reseed the accelerators, which are not forked.
        torch.default_generator.manual_seed(seed)
        return _BUILDERS[adapter.kind](adapter, blocks, channels)
