"""The attention of SAM's image encoder as plain operations, for graphs that leave PyTorch.

``ablate.models.attention`` computes scores part by part in a loop over the images, and SAM's own
code joins windows by an integer division of the batch: a graph traced through either of them is of
one batch size. A graph of this is of any.
"""

from typing import Any

import torch
from segment_anything.modeling.image_encoder import Block, get_rel_pos
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# Above this, heads are computed one after the other: all scores of a map of 64x64 tokens would take
# gigabytes in ViT-L and ViT-H.
_MOST_TOKENS = 1024


class PlainAttention(nn.Module):
    """softmax(s·q·kᵀ + rel_h ⊕ rel_w)·v on the whole map, window by window where there are any.

    Args:
        attention: SAM's own, or one that ``replace_attention`` has made of it.
        window: Side of its windows in tokens; 0: none.
    """

    def __init__(self, attention: Any, window: int) -> None:
        """Takes the modules and parameters over; they are not copied."""
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.scale: float = attention.scale
        self.window = window
        self.qkv: nn.Module = attention.qkv
        self.proj: nn.Module = attention.proj
        self.rel_pos_h: nn.Parameter = attention.rel_pos_h
        self.rel_pos_w: nn.Parameter = attention.rel_pos_w

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        attended = self._attended(self.qkv(x)) if self.window == 0 else self._in_windows(x)
        out: Tensor = self.proj(attended)
        return out

    def _in_windows(self, x: Tensor) -> Tensor:
        """The outputs of the heads, BxHxWxM, for a map of the same shape."""
        _, height, width, channels = x.shape
        side = self.window
        below, right = -height % side, -width % side
        rows, columns = (height + below) // side, (width + right) // side
        # SAM fills windows up before the projection, too.
        filled = F.pad(x, (0, 0, 0, right, 0, below))
        windows = filled.reshape(-1, rows, side, columns, side, channels).transpose(2, 3)
        attended = self._attended(self.qkv(windows.flatten(0, 2)))
        joined = attended.reshape(-1, rows, columns, side, side, channels).transpose(2, 3)
        return joined.flatten(3, 4).flatten(1, 2)[:, :height, :width]

    def _attended(self, qkv: Tensor) -> Tensor:
        """Maps projections, BxHxWx3M, to the outputs of the heads, BxHxWxM."""
        _, height, width, channels = qkv.shape
        heads = qkv.reshape(-1, height, width, 3, self.num_heads, channels // 3 // self.num_heads)
        in_order = heads.permute(3, 0, 4, 1, 2, 5)
        together = 1 if height * width > _MOST_TOKENS else self.num_heads
        parts = [
            self._of_heads(*in_order[:, :, head : head + together].unbind(0))
            for head in range(0, self.num_heads, together)
        ]
        return torch.cat(parts, 1).permute(0, 2, 3, 1, 4).flatten(3)

    def _of_heads(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of some heads; arguments and result are BxAxHxWxC."""
        height, width = q.shape[2:4]
        rel_h = q @ get_rel_pos(height, height, self.rel_pos_h).transpose(1, 2)
        rel_w = q.transpose(2, 3) @ get_rel_pos(width, width, self.rel_pos_w).transpose(1, 2)
        positions = rel_h.unsqueeze(-1) + rel_w.transpose(2, 3).unsqueeze(-2)
        scores = (q.flatten(2, 3) * self.scale) @ k.flatten(2, 3).transpose(-2, -1)
        weights = (scores + positions.flatten(4, 5).flatten(2, 3)).softmax(-1)
        attended: Tensor = weights @ v.flatten(2, 3)
        return attended.reshape(q.shape)


def with_plain_attention(model: nn.Module) -> nn.Module:
    """Replaces the attention of all of SAM's blocks in a model, in place; returns the model.

    Args:
        model: With SAM's image encoder, adapted or not, or without one.
    """
    for block in model.modules():
        if isinstance(block, Block):
            window = block.window_size or getattr(block.attn, "window", 0)
            block.attn = PlainAttention(block.attn, window)
            # The windows are the attention's business from here on.
            block.window_size = 0
    return model
