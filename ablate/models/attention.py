"""The attention of SAM's image encoder, without ever holding its scores.

Every block of ``segment_anything.modeling.ImageEncoderViT`` computes
softmax(s·q·kᵀ + rel_h ⊕ rel_w)·v over N tokens: rel_h gives a score to each row of the map that
the key lies in, rel_w to each column (decomposed relative positions). SAM's own code keeps
several BxAxNxN tensors for the backward pass (A heads). Here a part of the scores is computed,
used, and computed again in the backward pass, so that the memory that is kept grows with N only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import (
    Attention,
    get_rel_pos,
    window_partition,
    window_unpartition,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True)
class _Plan:
    """How attention is computed on one type of device.

    Attributes:
        part: Scores that are held at a time, in elements.
        fused: Half precision goes through the fused kernel, positions as channels of the heads.
    """

    part: int
    fused: bool


# Which way on which device.
# CPU: forward and backward through ViT-L's attention at 1024x1024, batch 1, float32, on an AMD EPYC
# of the third generation. Wall time on 2 threads of SAM's own, of parts, and of the fused kernel
# (whose heads are 192 instead of 64 channels wide): global 8.0, 2.8 and 5.3 s; 25 windows of 14x14
# 0.87, 0.68 and 0.83 s. Parts of 2^19, 2^20 and 2^22 scores on 1 thread, global: 6.4, 6.0 and 6.4 s
# of CPU time; the largest leave the cache, and their memory goes back to the system each time.
# CUDA: not measured on a GPU yet; ``benchmarks/gpu/contenders.py`` has the ways that are to be
# measured, and ``python -m benchmarks.gpu`` measures them. Chosen because the fused kernel computes
# half precision without ever writing scores to memory; parts are for float32 and for maps that it
# cannot take.
_PLANS = {
    "cpu": _Plan(part=2**20, fused=False),
    "cuda": _Plan(part=2**23, fused=True),
}
# Below this SAM's own attention stays. Time of parts against SAM's own, 1 thread of the same CPU:
# 16 tokens 7.2, 64 tokens 2.4 (SAM-nano at 128x128 has no others), 121 tokens 1.1, 196 and 256
# tokens 1.0, 576 tokens 0.6. Windows of 196 tokens of a 64x64 map: 0.8 of the CPU time, part of it
# because what fills them up (a sixth of all their tokens) is not projected.
_FEWEST_TOKENS = 196

# Fused kernels take no wider heads in their backward pass.
_FUSED_CHANNELS = 256


class _InParts(torch.autograd.Function):
    """softmax(s·q·kᵀ + rel_h ⊕ rel_w)·v, a part of the scores at a time.

    Only the inputs are kept. Half precision is widened to float32 part by part, so that the sums
    over many parts do not lose what SAM's own single sum has.
    """

    @staticmethod
    def forward(ctx: Any, scale: float, part: int, *inputs: Tensor) -> Tensor:
        """Computes attention.

        Args:
            ctx: Keeps the inputs.
            scale: s.
            part: Scores that are held at a time.
            *inputs: q, k, v (each BxAxNxC: A heads, N = H·W tokens), rel_h (BxAxNxH) and rel_w
                (BxAxNxW).

        Returns:
            BxNxAxC.
        """
        ctx.save_for_backward(*inputs)
        ctx.scale, ctx.part = scale, part
        q = inputs[0]
        out = q.new_empty(q.transpose(1, 2).shape)
        with torch.autocast(q.device.type, enabled=False):
            for heads, rows_of in _parts(q.shape, part):
                queries, keys, values, rel_h, rel_w = (_widened(x[heads]) for x in inputs)
                target = out.transpose(1, 2)[heads]
                for rows in rows_of:
                    weights = _softmax(
                        queries[:, rows], keys, rel_h[:, rows], rel_w[:, rows], scale
                    )
                    target[:, rows] = (weights @ values).to(q.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Computes each part again; returns the gradients of the arguments of ``forward``."""
        inputs = ctx.saved_tensors
        grads = [torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in inputs]
        grad = grad.transpose(1, 2)
        with torch.autocast(grad.device.type, enabled=False):
            for heads, rows_of in _parts(grad.shape, ctx.part):
                wide = [_widened(x[heads]) for x in inputs]
                sums = [torch.zeros_like(x) for x in wide]
                outgoing = _widened(grad[heads])
                for rows in rows_of:
                    _add_gradients(sums, wide, outgoing[:, rows], rows, ctx.scale)
                for target, total in zip(grads, sums, strict=True):
                    target[heads] = total.to(target.dtype)
        return None, None, *grads


def _widened(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _parts(shape: torch.Size, part: int) -> Iterator[tuple[tuple[int, slice], list[slice]]]:
    """Cuts BxAxNxN scores into parts: heads of an image, and slices of their queries."""
    images, heads, tokens, _ = shape
    together = max(1, min(heads, part // tokens**2))
    rows = max(1, min(tokens, part // (together * tokens)))
    for image in range(images):
        for head in range(0, heads, together):
            yield (
                (image, slice(head, head + together)),
                [slice(row, row + rows) for row in range(0, tokens, rows)],
            )


def _softmax(q: Tensor, k: Tensor, rel_h: Tensor, rel_w: Tensor, scale: float) -> Tensor:
    """The weights (AxRxN) that R queries give to all keys."""
    scores = (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2)
    scores.baddbmm_(q, k.transpose(1, 2), alpha=scale)
    return torch.softmax(scores, -1, out=scores)


def _add_gradients(
    sums: list[Tensor], inputs: list[Tensor], grad: Tensor, rows: slice, scale: float
) -> None:
    """Adds the contribution of the queries ``rows`` to the gradients of ``inputs``."""
    q, k, v, rel_h, rel_w = inputs
    of_q, of_k, of_v, of_rel_h, of_rel_w = sums
    weights = _softmax(q[:, rows], k, rel_h[:, rows], rel_w[:, rows], scale)
    of_v.baddbmm_(weights.transpose(1, 2), grad)
    scores = grad @ v.transpose(1, 2)
    # The operator behind softmax's own derivative: weights·(scores - Σ weights·scores), at once.
    torch.ops.aten._softmax_backward_data.out(scores, weights, -1, scores.dtype, grad_input=scores)
    of_q[:, rows].baddbmm_(scores, k, alpha=scale)
    of_k.baddbmm_(scores.transpose(1, 2), q[:, rows], alpha=scale)
    by_place = scores.view(*scores.shape[:2], rel_h.shape[-1], rel_w.shape[-1])
    of_rel_h[:, rows] += by_place.sum(-1)
    of_rel_w[:, rows] += by_place.sum(-2)


def _fused(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """The same by PyTorch's fused kernel: (s·q, rel_h, rel_w)·(k, the key's row, its column)ᵀ.

    Arguments and result are those of ``_InParts``. Values are padded with zeros, since the
    kernel wants heads as wide as those of queries and keys.
    """
    height, width = rel_h.shape[-1], rel_w.shape[-1]
    row = torch.eye(height, dtype=k.dtype, device=k.device).repeat_interleave(width, 0)
    column = torch.eye(width, dtype=k.dtype, device=k.device).repeat(height, 1)
    place = torch.cat((row, column), -1).expand(*k.shape[:2], -1, -1)
    # Without this bound PyTorch could fall back to holding all scores.
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]):
        out = F.scaled_dot_product_attention(
            torch.cat((q * scale, rel_h, rel_w), -1),
            torch.cat((k, place), -1),
            F.pad(v, (0, height + width)),
            scale=1.0,
        )
    return out[..., : v.shape[-1]].transpose(1, 2)


def _attend(scale: float, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """Chooses by the table; arguments and result are those of ``_InParts``."""
    plan = _PLANS.get(q.device.type, _PLANS["cpu"])
    channels = q.shape[-1] + rel_h.shape[-1] + rel_w.shape[-1]
    half = q.dtype in (torch.bfloat16, torch.float16)
    if plan.fused and half and channels <= _FUSED_CHANNELS:
        return _fused(scale, q, k, v, rel_h, rel_w)
    out: Tensor = _InParts.apply(scale, plan.part, q, k, v, rel_h, rel_w)
    return out


class ExactAttention(nn.Module):
    """A block's attention on the whole map, with memory linear in its tokens.

    The windows are made here, between the projections: what fills up the windows at the map's
    border is zero before the projections and the bias after them, so neither needs to project
    it. Parameters are those of ``attention`` under the same names.

    Args:
        attention: SAM's own, with relative positions.
        window: Side of its windows in tokens; 0: none.
    """

    def __init__(self, attention: Attention, window: int) -> None:
        """Takes the parameters over; they are not copied."""
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.scale: float = attention.scale
        self.window = window
        self.qkv: nn.Module = attention.qkv
        self.proj: nn.Linear = attention.proj
        self.rel_pos_h: nn.Parameter = attention.rel_pos_h
        self.rel_pos_w: nn.Parameter = attention.rel_pos_w

    def forward(self, x: Tensor) -> Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        qkv: Tensor = self.qkv(x)
        if self.window == 0:
            attended = self._attend(qkv)
        else:
            windows, padded_size = window_partition(self._filled_up(qkv), self.window)
            attended = window_unpartition(
                self._attend(windows), self.window, padded_size, x.shape[1:3]
            )
        out: Tensor = self.proj(attended)
        return out

    def _filled_up(self, qkv: Tensor) -> Tensor:
        """Pads a BxHxWx3M map to full windows with the projection of zeros."""
        images, height, width, _ = qkv.shape
        right, below = -width % self.window, -height % self.window
        if not right and not below:
            return qkv
        # An adapter may make more than the bias of zeros.
        nothing = self.qkv(qkv.new_zeros(1, qkv.shape[-1] // 3))
        qkv = torch.cat((qkv, nothing.expand(images, height, right, -1)), 2)
        return torch.cat((qkv, nothing.expand(images, below, width + right, -1)), 1)

    def _attend(self, qkv: Tensor) -> Tensor:
        """Maps projections, BxHxWx3M, to the outputs of the heads, BxHxWxM."""
        images, height, width, _ = qkv.shape
        heads = qkv.reshape(images, height, width, 3, self.num_heads, -1)
        q, k, v = heads.permute(3, 0, 4, 1, 2, 5).unbind(0)
        rel_h = torch.einsum("bahwc,hkc->bahwk", q, get_rel_pos(height, height, self.rel_pos_h))
        rel_w = torch.einsum("bahwc,wkc->bahwk", q, get_rel_pos(width, width, self.rel_pos_w))
        tokens = (x.flatten(2, 3) for x in (q, k, v, rel_h, rel_w))
        out = _attend(self.scale, *tokens)
        return out.reshape(*qkv.shape[:3], -1)


def replace_attention(encoder: ImageEncoderViT) -> None:
    """Replaces the attention of an encoder's blocks where the replacement is faster.

    Blocks that attend over few tokens keep SAM's own attention, bit for bit. The others' windows
    become the attention's business: ``Block.window_size`` is 0 from then on, and the block
    hands its attention the whole map. Names in the state dict and parameters stay what they
    were.

    Args:
        encoder: SAM's own, before adapters are inserted; ``img_size`` is that of the images to
            come.
    """
    side = encoder.img_size // encoder.patch_embed.proj.kernel_size[0]
    for block in encoder.blocks:
        tokens = (block.window_size or side) ** 2
        if tokens >= _FEWEST_TOKENS and block.attn.use_rel_pos:
            block.attn = ExactAttention(block.attn, block.window_size)
            block.window_size = 0
