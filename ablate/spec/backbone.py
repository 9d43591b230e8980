"""The geometry of SAM's image encoders, as plain numbers that need no torch."""

from dataclasses import dataclass
from typing import Literal

BackboneName = Literal["vit_nano", "vit_b", "vit_l", "vit_h"]

PATCH_SIZE_PX = 16


@dataclass(frozen=True)
class Backbone:
    """One SAM image encoder and the decoder that belongs to it.

    Attributes:
        label: How tables and watermarks call it.
        width: Channels of the encoder, M in the paper.
        depth: Number of transformer blocks.
        heads: Attention heads of each block.
        global_blocks: Blocks with global attention, counted from 0; the others use windows.
        window: Side of an attention window, in tokens.
        prompt_width: Channels of the neck and of the mask decoder.
        decoder_mlp_width: Hidden channels of the decoder's MLPs.
        iou_head_width: Hidden channels of the mask-quality head.
        image_size_px: Side of the image that the position embeddings are made for.
        checkpoint: Name of the official weights file; None where ablate makes the weights.
    """

    label: str
    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window: int
    prompt_width: int
    decoder_mlp_width: int
    iou_head_width: int
    image_size_px: int
    checkpoint: str | None


# The official sizes: segment_anything/build_sam.py.
BACKBONES: dict[BackboneName, Backbone] = {
    "vit_nano": Backbone("SAM-nano", 96, 4, 3, (1, 3), 4, 64, 256, 64, 128, None),
    "vit_b": Backbone(
        "SAM ViT-B", 768, 12, 12, (2, 5, 8, 11), 14, 256, 2048, 256, 1024, "sam_vit_b_01ec64.pth"
    ),
    "vit_l": Backbone(
        "SAM ViT-L", 1024, 24, 16, (5, 11, 17, 23), 14, 256, 2048, 256, 1024, "sam_vit_l_0b3195.pth"
    ),
    "vit_h": Backbone(
        "SAM ViT-H",
        1280,
        32,
        16,
        (7, 15, 23, 31),
        14,
        256,
        2048,
        256,
        1024,
        "sam_vit_h_4b8939.pth",
    ),
}
