"""The parts of one of SAM's encoder blocks, for what sits between them.

Maps are BxHxWxM: B images, HxW tokens, M channels of the encoder.
"""

from typing import Any

from segment_anything.modeling.image_encoder import window_partition, window_unpartition
from torch import Tensor


def attend(block: Any, x: Tensor) -> Tensor:
    """The first half of one of SAM's blocks without its shortcut: MSA(LN(x)).

    Args:
        block: Its submodules are used, its forward is not.
        x: BxHxWxM; it is attended to window by window where the block has windows.
    """
    normal: Tensor = block.norm1(x)
    if block.window_size == 0:
        attended: Tensor = block.attn(normal)
        return attended
    size = x.shape[1:3]
    windows, padded_size = window_partition(normal, block.window_size)
    joined: Tensor = window_unpartition(block.attn(windows), block.window_size, padded_size, size)
    return joined
