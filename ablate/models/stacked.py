"""Several variants' mask decoders in one set of operations.

The decoder of a small SAM is hundreds of operations on a few numbers each, and starting them
takes longer than computing them. Its layers are the same in every variant, only their values
differ: so K decoders go through each layer together, as one batched multiplication. The encoders,
whose multiplications are large enough to fill a processor, take turns.

What a variant gets does not depend on the others: each layer does for every variant what it does
for one, slice by slice, in operations whose rounding knows nothing of how many slices there are.
On one thread of a CPU, which training gives SAM-nano, ``tests/models/test_stacked.py`` holds
that, bit for bit; on more, how a product is cut depends on how many there are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models.segmenter import Segmenter


def _values(layers: Sequence[nn.Module], name: str) -> Tensor:
    """One parameter of K layers, stacked: Kx…; gradients find their way to each layer."""
    return torch.stack([getattr(layer, name) for layer in layers])


class _Linears(nn.Module):
    """K linear layers on K·B maps, those of each variant one after the other."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        # A tuple registers nothing: the variants own their layers.
        self.layers = tuple(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xI to K·Bx…xO."""
        weights, biases = _values(self.layers, "weight"), _values(self.layers, "bias")
        return _multiplied(x, weights.transpose(1, 2), biases)


class _LayerNorms(nn.Module):
    """K norms over the last dimension (``LayerNorm``, or ``LayerNorm2d`` on channels put last)."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.layers = tuple(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·Bx…xC to the same shape."""
        normal = F.layer_norm(x, x.shape[-1:], eps=self.layers[0].eps)
        weights, biases = _values(self.layers, "weight"), _values(self.layers, "bias")
        by_variant = normal.reshape(len(self.layers), -1, x.shape[-1])
        return (by_variant * weights[:, None] + biases[:, None]).reshape(x.shape)


class _Upscalings(nn.Module):
    """K transposed convolutions whose stride is their kernel's size: each pixel becomes n x n."""

    def __init__(self, layers: Sequence[nn.ConvTranspose2d]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.n = layers[0].stride[0]

    def forward(self, x: Tensor) -> Tensor:
        """Maps K·BxHxWxI to K·BxnHxnWxO."""
        images, height, width, _ = x.shape
        # Kernels are IxOxnxn.
        weights = _values(self.layers, "weight").permute(0, 1, 3, 4, 2).flatten(2)
        biases = _values(self.layers, "bias").repeat(1, self.n**2)
        tiles = _multiplied(x, weights, biases).view(images, height, width, self.n, self.n, -1)
        return tiles.transpose(2, 3).reshape(images, height * self.n, width * self.n, -1)


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
}


def _stacked(modules: Sequence[nn.Module]) -> nn.Module:
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


class Stack:
    """SAM with adapters, K variants of it that share everything but adapter and decoder.

    Args:
        segmenters: The variants, on one device, of one backbone, one image size and one set of
            prompt weights. Their parameters stay theirs: what is computed here leaves its
            gradients there.
    """

    def __init__(self, segmenters: Sequence[Segmenter]) -> None:
        """Copies no values."""
        self._segmenters = tuple(segmenters)
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
        embeddings = torch.cat(
            [each.image_encoder(images) + each.no_mask for each in self._segmenters]
        )
        masks = self._decode(embeddings).chunk(len(self._segmenters))
        return [
            each.resized(mask, images.shape[-2:])
            for each, mask in zip(self._segmenters, masks, strict=True)
        ]

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
