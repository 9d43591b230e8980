"""Several variants of a small SAM in one set of operations.

A small SAM is hundreds of operations on a few numbers each, and starting them takes as long as
computing them. Its layers are the same in every variant, only the values of some differ: so K
variants go through each layer together, as one batched multiplication. What differs in structure,
the adapters, is computed one after the other, between the blocks.

What a variant gets does not depend on the others: each layer does for every variant what it does
for one, slice by slice, in operations whose rounding does not depend on the number of slices. On
one thread of a CPU, which training gives SAM-nano, ``tests/models/test_ensemble.py`` checks that,
bit for bit; on more threads, how a product is cut depends on how many there are.

``ablate.models.ensemble`` decides which models can be stacked.

Maps are K·BxHxWxM: those of the first variant's B images, then those of the second's.
"""

from collections.abc import Sequence
from typing import Any

import torch
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.image_encoder import Attention
from segment_anything.modeling.transformer import Attention as TokenAttention
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models.adapters import InsideAtl, OutsideAtl
from ablate.models.atl_released import PromptedEncoder
from ablate.models.blocks import attend
from ablate.models.segmenter import Segmenter
from ablate.models.small_attention import SmallAttention, positions

# Layers ---------------------------------------------------------------------------------------


class _Layers(nn.Module):
    """K layers of one kind.

    Args:
        layers: One of each variant. A tuple registers nothing: the variants own them.
        shared: Whether all are one frozen layer of the image encoder.
    """

    def __init__(self, layers: Sequence[Any], *, shared: bool) -> None:
        """Copies no values."""
        super().__init__()
        self.layers = tuple(layers)
        self.shared = shared

    def _values(self, name: str) -> Tensor:
        """One parameter of all of them, Kx…; each layer gets its own gradient."""
        values = [getattr(layer, name) for layer in self.layers]
        if self.shared:
            return torch.as_tensor(values[0]).expand(len(values), *values[0].shape)
        return torch.stack(values)


class _Linears(_Layers):
    """K linear layers."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xI to K·Bx…xO."""
        return _multiplied(x, self._values("weight").transpose(1, 2), self._values("bias"))


class _Convolutions(_Layers):
    """The convolution of K frozen necks, which is one."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·BxHxWxI to K·BxHxWxO, without a copy: such maps are "channels last"."""
        out: Tensor = self.layers[0](x.permute(0, 3, 1, 2))
        return out.permute(0, 2, 3, 1)


class _LayerNorms(_Layers):
    """K norms over the last dimension (``LayerNorm``, or ``LayerNorm2d`` on channels put last)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xC to the same shape."""
        first = self.layers[0]
        if self.shared:
            return F.layer_norm(x, x.shape[-1:], first.weight, first.bias, first.eps)
        normal = F.layer_norm(x, x.shape[-1:], eps=first.eps)
        by_variant = normal.reshape(len(self.layers), -1, x.shape[-1])
        bias, weight = self._values("bias")[:, None], self._values("weight")[:, None]
        return torch.addcmul(bias, by_variant, weight).reshape(x.shape)


class _Upscalings(_Layers):
    """K transposed convolutions whose stride is their kernel's size: each pixel becomes n x n."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·BxHxWxI to K·BxnHxnWxO."""
        n = self.layers[0].stride[0]
        images, height, width, _ = x.shape
        # Kernels are IxOxnxn.
        weights = self._values("weight").permute(0, 1, 3, 4, 2).flatten(2)
        biases = self._values("bias").repeat(1, n**2)
        tiles = _multiplied(x, weights, biases).view(images, height, width, n, n, -1)
        return tiles.transpose(2, 3).reshape(images, height * n, width * n, -1)


class _Attentions(_Layers):
    """The attention of K frozen blocks, on windows or on whole maps."""

    def __init__(self, layers: Sequence[Attention], *, shared: bool) -> None:
        super().__init__(layers, shared=shared)
        self.qkv = _stacked([layer.qkv for layer in layers], shared=shared)
        self.proj = _stacked([layer.proj for layer in layers], shared=shared)
        # By height and width.
        self._tables: dict[tuple[int, int], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·BxHxWxM to the same shape."""
        first: Attention = self.layers[0]
        table = self._table(*x.shape[1:3])
        qkv = self.qkv(x).flatten(1, 2)
        attended: Any = SmallAttention.apply(
            qkv, table, first.scale, first.num_heads, len(self.layers)
        )
        out: Tensor = self.proj(attended.view(x.shape))
        return out

    def _table(self, height: int, width: int) -> Tensor:
        if (height, width) not in self._tables:
            # Even where inference asks first, training can use it.
            with torch.inference_mode(False), torch.no_grad():
                self._tables[height, width] = positions(self.layers[0], height, width)
        return self._tables[height, width]


class _TokenAttentions(_Layers):
    """The decoder's attention of K variants, between a few tokens and many, or among few.

    SAM's own brings every head's channels together: copies, products and softmaxes of a few
    numbers each. Here the side with fewer tokens is repeated for each head, with the other heads'
    channels set to zero, so that the many tokens stay as they are. The products grow by the
    number of heads and take less time all the same.
    """

    def __init__(self, layers: Sequence[TokenAttention], *, shared: bool) -> None:
        super().__init__(layers, shared=shared)
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            _stacked([getattr(layer, name) for layer in layers], shared=shared) for name in names
        )

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Maps K·BxQxC, K·BxNxC and K·BxNxC to K·BxQxC."""
        q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)
        heads, channels = self.layers[0].num_heads, q.shape[-1]
        # Which channels belong to which head, AxC, where A is the number of heads.
        own = torch.eye(heads, dtype=q.dtype, device=q.device)
        own = own.repeat_interleave(channels // heads, 1)
        scale = (channels // heads) ** -0.5

        def by_head(few: Tensor, own: Tensor) -> Tensor:
            """Maps BxTxC to Bx(A·T)xC."""
            return (few[:, None] * own[:, None]).flatten(1, 2)

        if q.shape[1] <= k.shape[1]:
            weights = (by_head(q, scale * own) @ k.transpose(1, 2)).softmax(-1)
            by_query = (weights @ v).view(len(q), heads, -1, channels)
            attended = (by_query * own[:, None]).sum(1)
        else:
            scores = by_head(k, scale * own) @ q.transpose(1, 2)
            # Over the few, which are not the last dimension: there a softmax is slow.
            weights = scores.view(len(q), heads, -1, q.shape[1]).softmax(2).flatten(1, 2)
            attended = weights.transpose(1, 2) @ by_head(v, own)
        out: Tensor = self.out_proj(attended)
        return out


def _multiplied(x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Multiplies K·Bx…xI by KxIxO and adds KxO."""
    by_variant = x.reshape(len(weights), -1, x.shape[-1])
    out = torch.baddbmm(biases[:, None], by_variant, weights)
    return out.view(*x.shape[:-1], -1)


_STACKED: dict[type[nn.Module], type[_Layers]] = {
    nn.Linear: _Linears,
    nn.LayerNorm: _LayerNorms,
    LayerNorm2d: _LayerNorms,
    nn.Conv2d: _Convolutions,
    nn.ConvTranspose2d: _Upscalings,
    Attention: _Attentions,
    TokenAttention: _TokenAttentions,
}


def _stacked(modules: Sequence[nn.Module], *, shared: bool) -> Any:
    """The modules of K variants as one: SAM's own code, around layers that do K variants' work.

    Args:
        modules: One of each variant, of the same structure.
        shared: Whether all are one frozen module of the image encoder.
    """
    first = modules[0]
    if stack := _STACKED.get(type(first)):
        return stack(modules, shared=shared)
    together = first.__new__(type(first))
    together.__dict__ = {**first.__dict__, "_modules": {}}
    for name, _ in first.named_children():
        children = [module.get_submodule(name) for module in modules]
        together.add_module(name, _stacked(children, shared=shared))
    return together


# Encoders and decoders ------------------------------------------------------------------------


class _Encoders:
    """K times one frozen image encoder, each with its own adapters."""

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        self._encoders = tuple(encoders)
        frozen: list[Any] = [without_prompts(each) for each in encoders]
        self._frozen: Any = frozen[0]
        # By block, each a list by variant: as they are, and the frozen ones inside together.
        self._sites = list(zip(*(each.blocks for each in frozen), strict=True))
        self._blocks = [
            _stacked([without_atl(block) for block in site], shared=True) for site in self._sites
        ]
        self._neck = _stacked([each.neck for each in frozen], shared=True)

    def __call__(self, images: Tensor) -> Tensor:
        """Maps Bx3xSxS to all variants' embeddings, K·BxhxwxC."""
        patches = self._frozen.patch_embed(images)
        features = [
            each.prompts.feature(patches, images) if isinstance(each, PromptedEncoder) else None
            for each in self._encoders
        ]
        x = torch.cat([patches + self._frozen.pos_embed] * len(self._encoders))
        for index, (site, block) in enumerate(zip(self._sites, self._blocks, strict=True)):
            maps = list(x.chunk(len(site)))
            for k, encoder in enumerate(self._encoders):
                if isinstance(encoder, PromptedEncoder):
                    maps[k] = maps[k] + encoder.prompts(features[k], index)
                if isinstance(site[k], OutsideAtl):
                    maps[k] = site[k].atl(maps[k])
            x = torch.cat(maps)
            attended = list(attend(block, x).chunk(len(site)))
            for k, each in enumerate(site):
                if isinstance(each, InsideAtl):
                    attended[k] = each.atl(attended[k])
            x = x + torch.cat(attended)
            x = x + block.mlp(block.norm2(x))
        embeddings: Tensor = self._neck(x)
        return embeddings


def without_prompts(encoder: nn.Module) -> nn.Module:
    """SAM's own encoder in one that may add prompts; its blocks may still have adapters."""
    return encoder.encoder if isinstance(encoder, PromptedEncoder) else encoder


def without_atl(block: nn.Module) -> nn.Module:
    """SAM's own block in one that may have an adapter."""
    return block.block if isinstance(block, OutsideAtl | InsideAtl) else block


class Stack:
    """SAM with adapters, K variants of it that share everything but adapter and decoder.

    Args:
        segmenters: The variants, which ``ablate.models.ensemble`` has found to fit together. Their
            parameters stay theirs: what is computed here leaves its gradients there.
    """

    def __init__(self, segmenters: Sequence[Segmenter]) -> None:
        """Copies no values."""
        self._segmenters = tuple(segmenters)
        self._encoders = _Encoders([each.image_encoder for each in segmenters])
        self._decoders: list[Any] = [each.mask_decoder for each in segmenters]
        transformers = [each.transformer for each in self._decoders]
        self._transformer = _stacked(transformers, shared=False)
        upscalings = [each.output_upscaling for each in self._decoders]
        self._upscaling = _stacked(upscalings, shared=False)
        # Those of every variant's masks, as if each were a variant.
        self._hypernetworks = _stacked(
            [mlp for decoder in self._decoders for mlp in decoder.output_hypernetworks_mlps],
            shared=False,
        )

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Segments one batch with every variant.

        Args:
            images: Normalised images, Bx3xSxS.

        Returns:
            Each variant's logits, Bx1xSxS, in their order.
        """
        if len(self._segmenters) == len(images) == 1:
            # A single map lies in memory as no others do, and some products round otherwise.
            return Stack(self._segmenters * 2)(images)[:1]
        embeddings = self._encoders(images)
        # 1xCx1x1 each.
        no_mask = torch.cat([each.no_mask for each in self._segmenters]).flatten(1)
        embeddings = embeddings + no_mask.repeat_interleave(len(images), 0)[:, None, None]
        logits = self._segmenters[0].resized(self._decode(embeddings), images.shape[-2:])
        return list(logits.chunk(len(self._segmenters)))

    def _decode(self, embeddings: Tensor) -> Tensor:
        """Mask 0 (K·Bx1xnhxnw) of K·BxhxwxC embeddings; cf. ``MaskDecoder.predict_masks``."""
        tokens = self._tokens(len(embeddings))
        image_pe = self._segmenters[0].image_pe
        queries, keys = self._transformer(embeddings.permute(0, 3, 1, 2), image_pe, tokens)
        side = embeddings.shape[1:3]
        upscaled = self._upscaling(keys.unflatten(1, side))
        # The other masks are cut off, as in SAM: their hypernetworks learn nothing, but decay.
        of_masks = queries[:, 1:].unflatten(0, (len(self._decoders), -1)).transpose(1, 2)
        weights = self._hypernetworks(of_masks.flatten(0, 2)).view(*of_masks.shape[:3], -1)
        of_mask_0 = weights[:, 0].flatten(0, 1)
        mask: Tensor = (upscaled * of_mask_0[:, None, None]).sum(-1)
        return mask.unsqueeze(1)

    def _tokens(self, images: int) -> Tensor:
        """Every variant's own tokens for each of its images, K·BxTxC."""
        tokens = torch.stack(
            [torch.cat((each.iou_token.weight, each.mask_tokens.weight)) for each in self._decoders]
        )
        return tokens.repeat_interleave(images // len(tokens), 0)
