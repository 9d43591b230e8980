"""Prompting SAM for many objects of many images at once."""

from dataclasses import dataclass

import torch
from segment_anything.modeling import Sam
from torch import Tensor

NOT_A_POINT, OUTSIDE, INSIDE, TOP_LEFT, BOTTOM_RIGHT = range(-1, 4)
"""What a point of a prompt means, in SAM's own numbering."""


@dataclass(frozen=True)
class Prompts:
    """The prompts, for each of P objects.

    Attributes:
        points: PxKx2, (x, y) in pixels of the image.
        kinds: PxK, what each point means (int64).
        masks: Px1xhxw, the logits of an earlier answer; None: none.
    """

    points: Tensor
    kinds: Tensor
    masks: Tensor | None = None

    def with_click(self, points: Tensor, inside: Tensor, masks: Tensor) -> "Prompts":
        """One more click for each object, and SAM's last answer as mask prompt.

        Args:
            points: Px2, in pixels.
            inside: P, whether the click lies inside the object.
            masks: Px1xhxw, logits.
        """
        kinds = torch.where(inside, INSIDE, OUTSIDE)
        return Prompts(
            torch.cat((self.points, points[:, None]), 1),
            torch.cat((self.kinds, kinds[:, None]), 1),
            masks,
        )


def clicked(points: Tensor) -> Prompts:
    """One click inside each object (Px2, in pixels); SAM fills up with a point that is none."""
    kinds = torch.tensor([INSIDE, NOT_A_POINT], device=points.device).repeat(len(points), 1)
    return Prompts(torch.stack((points, torch.zeros_like(points)), 1), kinds)


def boxed(boxes: Tensor) -> Prompts:
    """A box around each object (Px4: left, top, right, bottom, in pixels)."""
    kinds = torch.tensor([TOP_LEFT, BOTTOM_RIGHT], device=boxes.device).repeat(len(boxes), 1)
    return Prompts(boxes.view(-1, 2, 2), kinds)


def prompt_sam(sam: Sam, embeddings: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """SAM's answers to many prompts about many images in one pass.

    It computes what ``PromptEncoder.forward`` and ``MaskDecoder.predict_masks`` do, which take
    prompts about one image alone: the latter would repeat every image for every prompt.

    Args:
        sam: The model.
        embeddings: PxCxhxw, of each prompt's own image.
        prompts: The prompts.

    Returns:
        Logits of all four masks (Px4x4hx4w; 0: the one answer, 1-3: those to an ambiguous
        prompt), and the quality that SAM predicts for each (Px4).
    """
    decoder = sam.mask_decoder
    outputs = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight))
    tokens = torch.cat((outputs.expand(len(embeddings), -1, -1), _sparse(sam, prompts)), 1)
    source = embeddings + _dense(sam, prompts)
    image_pe = sam.prompt_encoder.get_dense_pe().expand_as(source)
    states, source = decoder.transformer(source, image_pe, tokens)
    upscaled = decoder.output_upscaling(source.transpose(1, 2).reshape(embeddings.shape))
    hyper = torch.stack(
        [mlp(states[:, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], 1
    )
    masks = torch.einsum("pmc,pchw->pmhw", hyper, upscaled)
    return masks, decoder.iou_prediction_head(states[:, 0])


def _sparse(sam: Sam, prompts: Prompts) -> Tensor:
    """Embeds points, PxKxC; kinds may be mixed, unlike in SAM's own method."""
    encoder = sam.prompt_encoder
    kinds = [encoder.not_a_point_embed, *encoder.point_embeddings]
    table = torch.cat([kind.weight for kind in kinds])
    place = encoder.pe_layer.forward_with_coords(prompts.points + 0.5, encoder.input_image_size)
    is_point = (prompts.kinds != NOT_A_POINT)[..., None]
    embedded: Tensor = place * is_point + table[prompts.kinds + 1]
    return embedded


def _dense(sam: Sam, prompts: Prompts) -> Tensor:
    encoder = sam.prompt_encoder
    if prompts.masks is None:
        no_mask: Tensor = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        return no_mask
    embedded: Tensor = encoder.mask_downscaling(prompts.masks)
    return embedded
