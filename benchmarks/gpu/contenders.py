"""Ways to compute SAM's attention exactly: softmax(s·q·kᵀ + rel_h ⊕ rel_w)·v.

Each takes what ``ablate.models.attention`` gives its own: s, q, k and v (BxAxNxC: A heads, N = H·W
tokens), rel_h (BxAxNxH) and rel_w (BxAxNxW), and returns BxNxAxC. The fastest can be moved there.
"""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import flex_attention

from ablate.models import attention

Attend = Callable[[float, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

SAMS = "SAM's own"
OURS = "ablate"


def sams_own(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """All scores at once, as segment_anything writes it."""
    scores = (q * scale) @ k.transpose(-2, -1)
    scores = scores + (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2)
    return (scores.softmax(-1) @ v).transpose(1, 2)


def ours(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """What ``ablate.models.attention`` chooses."""
    return attention._attend(scale, q, k, v, rel_h, rel_w)


def augmented(
    backend: SDPBackend,
    is_padded: bool,
    scale: float,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rel_h: Tensor,
    rel_w: Tensor,
) -> Tensor:
    """Positions as channels: (s·q, rel_h, rel_w)·(k, one for the key's row, one for its column)ᵀ.

    Args:
        backend: The only kernel that may be used.
        is_padded: Whether values are filled up to the width of queries and keys, which some kernels
            require.
        scale: s.
        q: Queries.
        k: Keys.
        v: Values.
        rel_h: Scores of rows.
        rel_w: Scores of columns.
    """
    height, width = rel_h.shape[-1], rel_w.shape[-1]
    row = torch.eye(height, dtype=k.dtype, device=k.device).repeat_interleave(width, 0)
    column = torch.eye(width, dtype=k.dtype, device=k.device).repeat(height, 1)
    place = torch.cat((row, column), -1).expand(*k.shape[:2], -1, -1)
    # Kernels load eight channels at a time.
    empty = -(q.shape[-1] + height + width) % 8
    queries = F.pad(torch.cat((q * scale, rel_h, rel_w), -1), (0, empty))
    keys = F.pad(torch.cat((k, place), -1), (0, empty))
    values = F.pad(v, (0, queries.shape[-1] - v.shape[-1])) if is_padded else v
    with sdpa_kernel(backend):
        out = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
    return out[..., : v.shape[-1]].transpose(1, 2)


def masked(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """The scores of positions, BxAxNxN, as a mask."""
    mask = (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2)
    with sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale).transpose(1, 2)


def flexible(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """FlexAttention, which adds the score of a pair's position where it computes the pair's own."""
    width = rel_w.shape[-1]

    def positioned(score: Tensor, b: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + rel_h[b, head, query, key // width] + rel_w[b, head, query, key % width]

    return flex_attention(q, k, v, score_mod=positioned, scale=scale).transpose(1, 2)


@cache
def _compiled() -> Attend:
    # A graph for each shape; beyond the limit it would be computed uncompiled, with all scores.
    torch._dynamo.config.recompile_limit = 64
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return torch.compile(flexible, dynamic=False)


def compiled_flexible(
    scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor
) -> Tensor:
    """The same as one kernel, which never holds the scores."""
    return _compiled()(scale, q, k, v, rel_h, rel_w)


def tiled(
    part: int,
    scale: float,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rel_h: Tensor,
    rel_w: Tensor,
) -> Tensor:
    """A part of the scores at a time, computed again in the backward pass."""
    return attention._InParts.apply(scale, part, q, k, v, rel_h, rel_w)


FLEX = "FlexAttention, compiled"

# What takes long to compile is last: a part that is ended early loses the least.
CONTENDERS: dict[str, Attend] = {
    SAMS: sams_own,
    OURS: ours,
    "positions as channels, efficient": partial(augmented, SDPBackend.EFFICIENT_ATTENTION, False),
    "positions as channels, cuDNN": partial(augmented, SDPBackend.CUDNN_ATTENTION, False),
    "positions as channels, padded, cuDNN": partial(augmented, SDPBackend.CUDNN_ATTENTION, True),
    "positions as channels, padded, flash": partial(augmented, SDPBackend.FLASH_ATTENTION, True),
    "positions as mask, efficient": masked,
    "in parts of 2^23": partial(tiled, 2**23),
    "in parts of 2^26": partial(tiled, 2**26),
    FLEX: compiled_flexible,
}
