"""Several variants of a small SAM in one set of operations.

A small SAM is hundreds of operations on a few numbers each, and starting them takes as long as
computing them. Its layers are the same in every variant, only the values of some differ: so K
variants go through each layer together, as one batched multiplication. What differs in structure,
the adapters, takes turns between the blocks.

What a variant gets does not depend on the others: each layer does for every variant what it does
for one, slice by slice, in operations whose rounding knows nothing of how many slices there are.
On one thread of a CPU, which training gives SAM-nano, ``tests/models/test_stacked.py`` holds
that, bit for bit; on more, how a product is cut depends on how many there are.

Maps are K·BxHxWxM: those of the first variant's B images, then those of the second's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.image_encoder import Attention, get_rel_pos
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models.adapters import InsideAtl, OutsideAtl, attend
from ablate.models.released import PromptedEncoder
from ablate.models.segmenter import Segmenter

# Layers ---------------------------------------------------------------------------------------


class _Layers(nn.Module):
    """K layers of one kind. A tuple registers nothing: the variants own them."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.shared = _shared(layers)

    def _values(self, name: str) -> Tensor:
        """One parameter of all of them, Kx…; gradients find their way to each layer."""
        values = [getattr(layer, name) for layer in self.layers]
        if self.shared:
            return torch.as_tensor(values[0]).expand(len(values), *values[0].shape)
        return torch.stack(values)


def _shared(layers: Sequence[nn.Module]) -> bool:
    """Whether all are one frozen layer of the trunk."""
    places = [
        tuple(value.data_ptr() for value in layer.parameters(recurse=False)) for layer in layers
    ]
    trained = any(value.requires_grad for value in layers[0].parameters(recurse=False))
    return not trained and len(set(places)) == 1


class _Linears(_Layers):
    """K linear layers."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xI to K·Bx…xO."""
        return _multiplied(x, self._values("weight").transpose(1, 2), self._values("bias"))


class _LayerNorms(_Layers):
    """K norms over the last dimension (``LayerNorm``, or ``LayerNorm2d`` on channels put last)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xC to the same shape."""
        first = self.layers[0]
        if self.shared:
            return F.layer_norm(x, x.shape[-1:], first.weight, first.bias, first.eps)
        normal = F.layer_norm(x, x.shape[-1:], eps=first.eps)
        by_variant = normal.reshape(len(self.layers), -1, x.shape[-1])
        scaled = by_variant * self._values("weight")[:, None] + self._values("bias")[:, None]
        return scaled.reshape(x.shape)


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
    """The attention of K frozen blocks, on windows or on whole maps.

    SAM's own adds the relative positions by products whose size grows with the images; here each
    image and head has its own.
    """

    def __init__(self, layers: Sequence[Attention]) -> None:
        super().__init__(layers)
        if not self.shared:
            raise AssertionError("only a frozen trunk can be stacked")
        self.qkv = _stacked([layer.qkv for layer in layers])
        self.proj = _stacked([layer.proj for layer in layers])

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·BxHxWxM to the same shape."""
        first: Attention = self.layers[0]
        images, height, width, _ = x.shape
        heads = self.qkv(x).reshape(images, height * width, 3, first.num_heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
        places = q.unflatten(1, (height, width))
        of_rows = get_rel_pos(height, height, first.rel_pos_h).transpose(1, 2)
        of_columns = get_rel_pos(width, width, first.rel_pos_w).transpose(1, 2)
        rel_h = places @ of_rows
        rel_w = (places.transpose(1, 2) @ of_columns).transpose(1, 2)
        positions = (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2).flatten(1, 2)
        scores = torch.baddbmm(positions, q, k.transpose(1, 2), alpha=first.scale)
        attended = (scores.softmax(-1) @ v).unflatten(0, (images, first.num_heads))
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(x.shape))
        return out


def _multiplied(x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Multiplies K·Bx…xI by KxIxO and adds KxO."""
    by_variant = x.reshape(len(weights), -1, x.shape[-1])
    out = torch.baddbmm(biases[:, None], by_variant, weights)
    return out.view(*x.shape[:-1], -1)


_STACKED: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Linear: _Linears,
    nn.LayerNorm: _LayerNorms,
    LayerNorm2d: _LayerNorms,
    nn.ConvTranspose2d: _Upscalings,
    Attention: _Attentions,
}


def _stacked(modules: Sequence[nn.Module]) -> Any:
    """The modules of K variants as one: its own code, around layers that do K variants' work."""
    first = modules[0]
    if stack := _STACKED.get(type(first)):
        return stack(modules)
    if next(first.parameters(recurse=False), None) is not None:
        # Else all variants would silently get the first one's values.
        raise AssertionError(f"nobody knows how to stack {type(first).__name__}")
    together = first.__new__(type(first))
    together.__dict__ = {**first.__dict__, "_modules": {}}
    for name, _ in first.named_children():
        together.add_module(name, _stacked([module.get_submodule(name) for module in modules]))
    return together


# Encoders and decoders ------------------------------------------------------------------------


class _Encoders:
    """K encoders over one frozen trunk, each with its adapters."""

    def __init__(self, encoders: Sequence[nn.Module]) -> None:
        self._encoders = tuple(encoders)
        own = [each.encoder if isinstance(each, PromptedEncoder) else each for each in encoders]
        self._trunk: Any = own[0]
        # By block, each a list by variant: as they are, and the frozen ones inside together.
        self._sites = list(zip(*(each.blocks for each in own), strict=True))
        self._blocks = [_stacked([_frozen(block) for block in site]) for site in self._sites]

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Maps Bx3xSxS to each variant's embeddings, BxCxhxw."""
        patches = self._trunk.patch_embed(images)
        features = [
            each.prompts.feature(patches, images) if isinstance(each, PromptedEncoder) else None
            for each in self._encoders
        ]
        x = torch.cat([patches + self._trunk.pos_embed] * len(self._encoders))
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
        return [self._trunk.neck(each.permute(0, 3, 1, 2)) for each in x.chunk(len(self._encoders))]


def _frozen(block: nn.Module) -> nn.Module:
    """SAM's own block in one that may have an adapter."""
    return block.block if isinstance(block, OutsideAtl | InsideAtl) else block


class Stack:
    """SAM with adapters, K variants of it that share everything but adapter and decoder.

    Args:
        segmenters: The variants, on one device, of one backbone, one image size and one set of
            prompt weights, with SAM's own attention. Their parameters stay theirs: what is
            computed here leaves its gradients there.
    """

    def __init__(self, segmenters: Sequence[Segmenter]) -> None:
        """Copies no values."""
        self._segmenters = tuple(segmenters)
        self._encoders = _Encoders([each.image_encoder for each in segmenters])
        self._decoders: list[Any] = [each.mask_decoder for each in segmenters]
        self._transformer = _stacked([each.transformer for each in self._decoders])
        self._upscaling = _stacked([each.output_upscaling for each in self._decoders])
        self._hypernetworks = [
            _stacked(each)
            for each in zip(*(d.output_hypernetworks_mlps for d in self._decoders), strict=True)
        ]

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
        embeddings = torch.cat(
            [
                embedding + each.no_mask
                for embedding, each in zip(self._encoders(images), self._segmenters, strict=True)
            ]
        )
        logits = self._segmenters[0].resized(self._decode(embeddings), images.shape[-2:])
        return list(logits.chunk(len(self._segmenters)))

    def _decode(self, embeddings: Tensor) -> Tensor:
        """Mask 0 (K·Bx1xnhxnw) of K·BxCxhxw embeddings; cf. ``MaskDecoder.predict_masks``."""
        tokens = self._tokens(len(embeddings))
        image_pe = self._segmenters[0].image_pe
        found, keys = self._transformer(embeddings, image_pe, tokens)
        side = embeddings.shape[-2:]
        upscaled = self._upscaling(keys.unflatten(1, side))
        # The other masks are cut off, as in SAM: their hypernetworks learn nothing, but decay.
        weights = [mlp(found[:, 1 + i]) for i, mlp in enumerate(self._hypernetworks)]
        masks: Tensor = upscaled.flatten(1, 2) @ torch.stack(weights, -1)
        return masks[..., 0].reshape(-1, 1, *upscaled.shape[1:3])

    def _tokens(self, images: int) -> Tensor:
        """Every variant's own tokens for each of its images, K·BxTxC."""
        tokens = torch.stack(
            [torch.cat((each.iou_token.weight, each.mask_tokens.weight)) for each in self._decoders]
        )
        return tokens.repeat_interleave(images // len(tokens), 0)
