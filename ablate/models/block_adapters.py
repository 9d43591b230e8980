"""AdaptFormer, SSF and bottlenecks in series or in parallel in SAM's encoder blocks.

Maps are BxHxWxM: B images, HxW tokens, M channels of the encoder.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from ablate.models.blocks import attend
from ablate.spec import AdaptFormerAdapter, BottleneckAdapter, SsfAdapter, chosen_blocks


class Branch(nn.Module):
    """s·Up(act(Down(x))); Up starts at zero.

    Args:
        channels: M.
        width: Channels between the two projections.
        activation: Without parameters.
        scale: The factor s.
    """

    def __init__(
        self, channels: int, width: int, activation: nn.Module, scale: float = 1.0
    ) -> None:
        """Draws the initial values from torch's global generator, as PyTorch's layers do."""
        super().__init__()
        self.down = nn.Linear(channels, width)
        self.act = activation
        self.up = nn.Linear(width, channels)
        self.scale = scale
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Maps …xM to …xM."""
        out: Tensor = self.scale * self.up(self.act(self.down(x)))
        return out


class AdaptFormerBlock(nn.Module):
    """A block with a branch beside its MLP: out = MLP(LN(x)) + s·Up(ReLU(Down(LN(x)))) + x.

    Args:
        block: One of SAM's own; its submodules are used, its forward is not.
        branch: Sees what the MLP sees.
    """

    def __init__(self, block: nn.Module, branch: Branch) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.block = block
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        x = x + attend(block, x)
        normal = block.norm2(x)
        out: Tensor = x + block.mlp(normal) + self.branch(normal)
        return out


class SeriesBlock(nn.Module):
    """A block with a bottleneck after its attention and one after its MLP, before each sum.

    Args:
        block: One of SAM's own; its submodules are used, its forward is not.
        after_attention: Maps y to what is added to y.
        after_mlp: Likewise.
    """

    def __init__(self, block: nn.Module, after_attention: Branch, after_mlp: Branch) -> None:
        """Keeps all as they are."""
        super().__init__()
        self.block = block
        self.after_attention = after_attention
        self.after_mlp = after_mlp

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        attended = attend(block, x)
        x = x + (attended + self.after_attention(attended))
        widened = block.mlp(block.norm2(x))
        out: Tensor = x + (widened + self.after_mlp(widened))
        return out


class ParallelBlock(nn.Module):
    """A block with a bottleneck beside its attention and one beside its MLP.

    x_A = MSA(LN(x)) + B_1(LN(x)) + x; out = MLP(LN(x_A)) + B_2(LN(x_A)) + x_A.

    Args:
        block: One of SAM's own; its submodules are used, its forward is not.
        beside_attention: B_1. It works token by token, so windows do not matter to it.
        beside_mlp: B_2.
    """

    def __init__(self, block: nn.Module, beside_attention: Branch, beside_mlp: Branch) -> None:
        """Keeps all as they are."""
        super().__init__()
        self.block = block
        self.beside_attention = beside_attention
        self.beside_mlp = beside_mlp

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        x = x + attend(block, x) + self.beside_attention(block.norm1(x))
        normal = block.norm2(x)
        out: Tensor = x + block.mlp(normal) + self.beside_mlp(normal)
        return out


class MixedBlock(nn.Module):
    """A block with a bottleneck in series after its attention and one in parallel to its MLP.

    Args:
        block: One of SAM's own; its submodules are used, its forward is not.
        after_attention: As in ``SeriesBlock``.
        beside_mlp: As in ``ParallelBlock``.
    """

    def __init__(self, block: nn.Module, after_attention: Branch, beside_mlp: Branch) -> None:
        """Keeps all as they are."""
        super().__init__()
        self.block = block
        self.after_attention = after_attention
        self.beside_mlp = beside_mlp

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        block: Any = self.block
        attended = attend(block, x)
        x = x + (attended + self.after_attention(attended))
        normal = block.norm2(x)
        out: Tensor = x + block.mlp(normal) + self.beside_mlp(normal)
        return out


_ARRANGEMENTS: dict[str, Callable[[nn.Module, Branch, Branch], nn.Module]] = {
    "series": SeriesBlock,
    "parallel": ParallelBlock,
    "mixed": MixedBlock,
}


class ScaleShift(nn.Module):
    """γ·x + β, channel by channel, from γ = 1 and β = 0.

    Args:
        channels: Of the last dimension.
    """

    def __init__(self, channels: int) -> None:
        """Draws no random numbers."""
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps …xC to …xC."""
        return x * self.scale + self.shift


class Modulated(nn.Module):
    """One of SAM's layers or norms, its output scaled and shifted.

    Args:
        layer: A linear layer or a LayerNorm.
        ssf: What scales and shifts.
    """

    def __init__(self, layer: nn.Module, ssf: ScaleShift) -> None:
        """Keeps both as they are."""
        super().__init__()
        self.layer = layer
        self.ssf = ssf

    def forward(self, x: Tensor) -> Tensor:
        """Maps …xI to …xC."""
        out: Tensor = self.ssf(self.layer(x))
        return out

    def merged(self) -> nn.Module:
        """A copy of the layer that computes the same but for rounding."""
        layer: Any = copy.deepcopy(self.layer)
        scale, shift = self.ssf.scale.detach(), self.ssf.shift.detach()
        with torch.no_grad():
            # A linear layer's outputs are the rows of its weight.
            layer.weight.mul_(scale[:, None] if layer.weight.ndim == 2 else scale)
            layer.bias.mul_(scale).add_(shift)
        plain: nn.Module = layer
        return plain


def insert_adaptformer(adapter: AdaptFormerAdapter, encoder: ImageEncoderViT) -> list[nn.Module]:
    """Wraps blocks, each with its own branch; returns the branches."""
    channels = encoder.pos_embed.shape[-1]

    def wrapped(block: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
        branch = Branch(channels, adapter.width, nn.ReLU(), adapter.scale)
        return AdaptFormerBlock(block, branch), [branch]

    return _wrap(encoder, adapter.sites, wrapped)


def insert_bottlenecks(adapter: BottleneckAdapter, encoder: ImageEncoderViT) -> list[nn.Module]:
    """Wraps blocks, each with its own two bottlenecks; returns the bottlenecks."""
    channels = encoder.pos_embed.shape[-1]

    def wrapped(block: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
        first, second = (Branch(channels, adapter.width, nn.GELU()) for _ in range(2))
        return _ARRANGEMENTS[adapter.arrangement](block, first, second), [first, second]

    return _wrap(encoder, adapter.sites, wrapped)


def _wrap(
    encoder: ImageEncoderViT,
    sites: str | tuple[int, ...],
    wrapped: Callable[[nn.Module], tuple[nn.Module, list[nn.Module]]],
) -> list[nn.Module]:
    added: list[nn.Module] = []
    for number in chosen_blocks(sites, len(encoder.blocks)):
        encoder.blocks[number], own = wrapped(encoder.blocks[number])
        added += own
    return added


def insert_scale_and_shift(adapter: SsfAdapter, encoder: ImageEncoderViT) -> list[nn.Module]:
    """Wraps the layers and norms of blocks; returns what scales and shifts."""
    added: list[nn.Module] = []
    for number in chosen_blocks(adapter.sites, len(encoder.blocks)):
        block = encoder.blocks[number]
        for owner, names in (
            (block, ("norm1", "norm2")),
            (block.attn, ("qkv", "proj")),
            (block.mlp, ("lin1", "lin2")),
        ):
            for name in names:
                layer = getattr(owner, name)
                ssf = ScaleShift(layer.bias.shape[0])
                setattr(owner, name, Modulated(layer, ssf))
                added.append(ssf)
    return added
