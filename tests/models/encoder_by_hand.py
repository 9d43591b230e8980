"""SAM's encoder with ATLs, written out from raw tensors: no module of SAM or of ablate."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ablate.spec import AtlAdapter, Backbone

Tensors = Mapping[str, Tensor]


def part(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def linear(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    return torch.matmul(x, tensors[f"{name}.weight"].T) + tensors[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def layer_norm(x: Tensor, tensors: Tensors, name: str) -> Tensor:
    """Over the last axis; SAM's eps everywhere in the encoder is 1e-6."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    scaled = centred / torch.sqrt(variance + 1e-6)
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """BxHxWxC with an odd kernel (OxCxkxk) and zeros around the map, one shift at a time."""
    count, height, width, channels = x.shape
    reach = kernel.shape[-1] // 2
    padded = x.new_zeros(count, height + 2 * reach, width + 2 * reach, channels)
    padded[:, reach : reach + height, reach : reach + width] = x
    out = x.new_zeros(count, height, width, kernel.shape[0])
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            shifted = padded[:, dy : dy + height, dx : dx + width]
            out += torch.matmul(shifted, kernel[:, :, dy, dx].T)
    return out + bias


def theta(x: Tensor, tensors: Tensors, adapter: AtlAdapter) -> Tensor:
    """Eq. 5: Θ(X) = L_up(MidLays(L_down(X)))."""
    x = linear(x, tensors, "down")
    for index, midlay in enumerate(adapter.midlays):
        own = part(tensors, f"midlays.{index}.")
        if midlay == "m":
            x = gelu(linear(x, own, "0"))
        else:
            x = convolve(x, own["conv.weight"], own["conv.bias"])
            x = gelu(layer_norm(x, own, "norm"))
    return linear(x, tensors, "up")


def omega(x: Tensor, tensors: Tensors, adapter: AtlAdapter) -> Tensor:
    out = theta(x, tensors, adapter)
    return out + x if adapter.residual else out


def distances(table: Tensor, side: int) -> Tensor:
    """The table of relative positions, LxC, for `side` tokens: (2·side - 1)xC."""
    length, wanted = len(table), 2 * side - 1
    rows = []
    for index in range(wanted):
        at = min(max((index + 0.5) * length / wanted - 0.5, 0.0), length - 1.0)
        low = int(at)
        high = min(low + 1, length - 1)
        rows.append(table[low] * (1 - (at - low)) + table[high] * (at - low))
    return torch.stack(rows)


def attention(x: Tensor, tensors: Tensors, heads: int) -> Tensor:
    """One square window, SxSxM: every token with every other, head by head."""
    side, _, channels = x.shape
    width = channels // heads
    q, k, v = linear(x, tensors, "qkv").reshape(side * side, 3, channels).unbind(1)
    down = distances(tensors["rel_pos_h"], side)
    across = distances(tensors["rel_pos_w"], side)
    places = torch.arange(side * side)
    dy = places[:, None] // side - places[None] // side + side - 1
    dx = places[:, None] % side - places[None] % side + side - 1
    outputs = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = q[:, own] @ k[:, own].T / math.sqrt(width)
        scores = scores + (q[:, None, own] * (down[dy] + across[dx])).sum(-1)
        weights = torch.exp(scores - scores.amax(-1, keepdim=True))
        outputs.append(weights / weights.sum(-1, keepdim=True) @ v[:, own])
    return linear(torch.cat(outputs, -1), tensors, "proj").reshape(side, side, channels)


def attend(x: Tensor, tensors: Tensors, heads: int, window: int) -> Tensor:
    """MSA of BxHxHxM, in windows (0: none) that zeros fill up at the far edges."""
    count, side, _, channels = x.shape
    size = window or side
    tiles = math.ceil(side / size)
    padded = x.new_zeros(count, tiles * size, tiles * size, channels)
    padded[:, :side, :side] = x
    out = torch.empty_like(padded)
    for image in range(count):
        for row in range(tiles):
            for column in range(tiles):
                ys = slice(row * size, (row + 1) * size)
                xs = slice(column * size, (column + 1) * size)
                out[image, ys, xs] = attention(padded[image, ys, xs], tensors, heads)
    return out[:, :side, :side]


def encode(tensors: Tensors, adapter: AtlAdapter, backbone: Backbone, images: Tensor) -> Tensor:
    """Bx3xSxS to BxCxhxw; ``tensors`` are those of the adapted encoder."""
    count, _, size_px, _ = images.shape
    side = size_px // 16
    patches = images.reshape(count, 3, side, 16, side, 16).permute(0, 2, 4, 1, 3, 5)
    kernel = tensors["patch_embed.proj.weight"].reshape(backbone.width, -1)
    x = patches.reshape(count, side, side, -1) @ kernel.T + tensors["patch_embed.proj.bias"]
    x = x + tensors["pos_embed"]
    for index in range(backbone.depth):
        block = part(tensors, f"blocks.{index}.block.")
        atl = part(tensors, f"blocks.{index}.atl.")
        window = 0 if index in backbone.global_blocks else backbone.window
        if adapter.placement == "outside":
            x = omega(x, atl, adapter)  # Eqs. 6, 7, 14
        attended = attend(
            layer_norm(x, block, "norm1"), part(block, "attn."), backbone.heads, window
        )
        if adapter.placement == "inside":
            attended = omega(attended, atl, adapter)  # Eqs. 12, 15
        x = attended + x
        hidden = gelu(linear(layer_norm(x, block, "norm2"), block, "mlp.lin1"))
        x = linear(hidden, block, "mlp.lin2") + x
    x = layer_norm(convolve(x, tensors["neck.0.weight"]), tensors, "neck.1")
    x = layer_norm(convolve(x, tensors["neck.2.weight"]), tensors, "neck.3")
    return x.permute(0, 3, 1, 2)
