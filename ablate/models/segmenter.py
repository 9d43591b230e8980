"""Encoder and mask decoder without prompts: images in, logits out."""

from collections.abc import Sequence

import torch
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.transformer import Attention
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models.interface import SegmentationModel
from ablate.models.projections import SplitProjection
from ablate.runs import Parameters


def _bilinear(size: int, to: int, like: Tensor) -> Tensor:
    """What each of ``to`` places takes from ``size`` pixels in a row, to x size."""
    pixels = torch.eye(size, dtype=like.dtype, device=like.device)
    weights = F.interpolate(pixels[None], size=to, mode="linear", align_corners=False)
    return weights[0].T


class Segmenter(SegmentationModel):
    """SAM with adapters, without prompts.

    The decoder gets no sparse prompts, the learned no-mask embedding as dense prompt, and the
    positional encoding of SAM's own Gaussian matrix. The encoding lies in a buffer, which nothing
    trains and nothing counts, and so does the embedding unless it is given as a parameter.
    Mask token 0 gives the one mask. SAM has neither dropout nor batch normalisation: ``train()``
    and ``eval()`` change nothing.

    Args:
        image_encoder: SAM's encoder, perhaps with adapters.
        mask_decoder: SAM's decoder.
        adapters: The adapters' modules, which are parts of ``image_encoder``.
        sites: How many places of the encoder the adapters change.
        no_mask: The no-mask embedding, 1xCx1x1, where C is ``Backbone.prompt_width``; a
            parameter where it is trained.
        image_pe: The positional encoding of the token grid, 1xCxhxw.
    """

    no_mask: Tensor
    image_pe: Tensor

    def __init__(
        self,
        image_encoder: nn.Module,
        mask_decoder: MaskDecoder,
        adapters: Sequence[nn.Module],
        *,
        sites: int,
        no_mask: Tensor,
        image_pe: Tensor,
    ) -> None:
        """Keeps the modules as they are, with their own ``requires_grad``."""
        super().__init__()
        self.image_encoder = image_encoder
        self.mask_decoder = mask_decoder
        # A tuple registers nothing: the encoder owns these modules and names their parameters.
        self.adapters = tuple(adapters)
        self.sites = sites
        if isinstance(no_mask, nn.Parameter):
            self.register_parameter("no_mask", no_mask)
        else:
            self.register_buffer("no_mask", no_mask.detach())
        self.register_buffer("image_pe", image_pe.detach())

    def forward(self, images: Tensor) -> Tensor:
        """Segments a batch.

        Args:
            images: Normalised images, Bx3xSxS, of the size that the model was built for.

        Returns:
            Logits of the positive class, Bx1xSxS.
        """
        embeddings = self.image_encoder(images)
        # One prompt set of batch 1 broadcasts over the B images: MaskDecoder.predict_masks
        # would repeat every image as often as there are prompt sets.
        low_resolution, _ = self.mask_decoder(
            image_embeddings=embeddings,
            image_pe=self.image_pe,
            sparse_prompt_embeddings=self.no_mask.new_empty(1, 0, self.no_mask.shape[1]),
            dense_prompt_embeddings=self.no_mask.expand_as(self.image_pe),
            multimask_output=False,
        )
        return self.resized(low_resolution, images.shape[-2:])

    def resized(self, low_resolution: Tensor, size: torch.Size) -> Tensor:
        """The decoder's logits, Bx1xhxw, at the images' size, Bx1xSxS: bilinear, as SAM's are.

        By two products, whose gradients are products again: PyTorch's own resizing adds gradients
        up pixel by pixel, slowly on a CPU and in no certain order on a GPU.
        """
        maps = low_resolution.squeeze(1)
        with torch.autocast(maps.device.type, enabled=False):
            maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
            by_row, by_column = (
                _bilinear(n, to, maps).expand(maps.shape[0], -1, -1)
                for n, to in zip(maps.shape[1:], size, strict=True)
            )
            return (by_row @ maps @ by_column.transpose(1, 2)).unsqueeze(1)

    def count_parameters(self) -> Parameters:
        """Counts as the paper's Table III does: without the prompt encoder."""
        in_adapters = {value for adapter in self.adapters for value in adapter.parameters()}
        return (
            super()
            .count_parameters()
            .model_copy(
                update={
                    "adapter": sum(value.numel() for value in in_adapters),
                    "sites": self.sites,
                }
            )
        )

    def parameters_without_gradient(self) -> frozenset[str]:
        """Names of the mask decoder's parameters that the loss on one mask never moves.

        - The head that predicts the mask's quality: no part of the logits (no gradient at all).
        - The hypernetworks of mask tokens 1-3: their masks are cut off (gradient zero).
        - The biases of the attentions' keys: they add one number to a whole row of attention
          scores, and the softmax takes it out again (gradient zero but for rounding).
        - The biases of the image encoder's keys, where they are parameters of their own: likewise.

        The paper counts them as trained, and so does ``count_parameters``.
        """
        decoder = self.mask_decoder
        silent = {
            *decoder.iou_prediction_head.parameters(),
            *decoder.output_hypernetworks_mlps[1:].parameters(),
            *(part.k_proj.bias for part in decoder.modules() if isinstance(part, Attention)),
            *(part.k.bias for part in self.modules() if isinstance(part, SplitProjection)),
        }
        return frozenset(name for name, value in self.named_parameters() if value in silent)
