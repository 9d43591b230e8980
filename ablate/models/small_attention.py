"""The attention of SAM's image encoder on small maps: frozen tables, few copies.

softmax(s·q·kᵀ + rel_h ⊕ rel_w)·v, as in ``ablate.models.attention``. Of a small map all scores fit
into the cache, and what takes time is everything around the products: autograd's own way through
it copies, adds and fills with zeros a dozen times. Here each tensor is brought into its order
once on the way forward and once on the way back. Forward and backward of SAM-nano's attentions for
five variants and eight images, projections included, on one thread of an AMD EPYC of the fourth
generation: 12.6 → 8.4 ms (windows of 4x4) and 15.9 → 12.9 ms (8x8), of which 5.2 are projections.
"""

from typing import Any

import torch
from segment_anything.modeling.image_encoder import Attention, get_rel_pos
from torch import Tensor


def positions(attention: Attention, height: int, width: int) -> Tensor:
    """What each channel of a query contributes to the score of a key by its place, NxCxN, N = H·W.

    Args:
        attention: Its tables of relative positions.
        height: H, rows of the map.
        width: W, columns of the map.
    """
    rows = get_rel_pos(height, height, attention.rel_pos_h)
    columns = get_rel_pos(width, width, attention.rel_pos_w)
    both: Tensor = rows[:, None, :, None] + columns[None, :, None, :]
    return both.reshape(height * width, height * width, -1).transpose(1, 2).contiguous()


class SmallAttention(torch.autograd.Function):
    """Computes attention; the tables get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, table: Tensor, scale: float, heads: int, variants: int
    ) -> Tensor:
        """Computes attention.

        Args:
            ctx: Keeps queries, keys, values and weights.
            qkv: Projections, BxNx3M; B counts the maps of all variants.
            table: What ``positions`` gives, NxCxN.
            scale: s.
            heads: A, each with C of the M channels.
            variants: K. Products over all maps are made for each variant by itself: how one is
                computed may depend on how many rows it has.

        Returns:
            BxNxM.
        """
        maps, tokens, _ = qkv.shape
        in_order = qkv.view(maps, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous()
        q, k, v = in_order.flatten(1, 2).unbind(0)
        table = table.to(qkv.dtype)
        # All is of one precision here; autocast would convert once more.
        with torch.autocast(qkv.device.type, enabled=False):
            scores = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=scale)
            for own, queries in zip(scores.chunk(variants), q.chunk(variants), strict=True):
                own.transpose(0, 1).baddbmm_(queries.transpose(0, 1), table)
            weights = torch.softmax(scores, -1, out=scores)
            out = torch.bmm(weights, v)
        ctx.save_for_backward(q, k, v, weights, table)
        ctx.scale, ctx.variants = scale, variants
        return out.view(maps, heads, tokens, -1).transpose(1, 2).reshape(maps, tokens, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what ``forward`` takes: of ``qkv`` alone."""
        (grad,) = grads
        q, k, v, weights, table = ctx.saved_tensors
        maps, tokens, channels = grad.shape
        heads = channels // q.shape[-1]
        grad = grad.view(maps, tokens, heads, -1).transpose(1, 2).flatten(0, 1)
        in_order = q.new_empty(3, *q.shape)
        of_q, of_k, of_v = in_order.unbind(0)
        torch.bmm(weights.transpose(1, 2), grad, out=of_v)
        scores = torch.bmm(grad, v.transpose(1, 2))
        # The operator behind softmax's own derivative, w·(scores - Σ w·scores), at once.
        torch.ops.aten._softmax_backward_data.out(
            scores, weights, -1, scores.dtype, grad_input=scores
        )
        torch.baddbmm(of_q, scores, k, beta=0, alpha=ctx.scale, out=of_q)
        for own, of_queries in zip(
            scores.chunk(ctx.variants), of_q.chunk(ctx.variants), strict=True
        ):
            of_queries.transpose(0, 1).baddbmm_(own.transpose(0, 1), table.transpose(1, 2))
        torch.baddbmm(of_k, scores.transpose(1, 2), q, beta=0, alpha=ctx.scale, out=of_k)
        of_qkv = in_order.view(3, maps, heads, tokens, -1).permute(1, 3, 0, 2, 4)
        return of_qkv.reshape(maps, tokens, -1), None, None, None, None
