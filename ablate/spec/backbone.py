"""The geometry of SAM's image encoders, as plain numbers that need no torch."""

from dataclasses import dataclass
from typing import Any, Literal

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
        is_small: Whether its operations are so small that starting one takes as long as computing
            it: several variants are evaluated together, and one thread is enough.
        checkpoint: Name of the official weights file; None where the weights are part of ablate.
        checkpoint_sha256: SHA-256 of that file.
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
    is_small: bool
    checkpoint: str | None
    checkpoint_sha256: str | None


# What the three official sizes share.
_OFFICIAL: Any = {
    "window": 14,
    "prompt_width": 256,
    "decoder_mlp_width": 2048,
    "iou_head_width": 256,
    "image_size_px": 1024,
    "is_small": False,
}

# Geometry: segment_anything/build_sam.py. The hex digits in the official files' names are the
# first of their MD5, not of their SHA-256.
BACKBONES: dict[BackboneName, Backbone] = {
    "vit_nano": Backbone(
        label="SAM-nano",
        width=96,
        depth=4,
        heads=3,
        global_blocks=(1, 3),
        window=4,
        prompt_width=64,
        decoder_mlp_width=256,
        iou_head_width=64,
        image_size_px=128,
        is_small=True,
        checkpoint=None,
        checkpoint_sha256=None,
    ),
    "vit_b": Backbone(
        label="SAM ViT-B",
        width=768,
        depth=12,
        heads=12,
        global_blocks=(2, 5, 8, 11),
        checkpoint="sam_vit_b_01ec64.pth",
        checkpoint_sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        **_OFFICIAL,
    ),
    "vit_l": Backbone(
        label="SAM ViT-L",
        width=1024,
        depth=24,
        heads=16,
        global_blocks=(5, 11, 17, 23),
        checkpoint="sam_vit_l_0b3195.pth",
        checkpoint_sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        **_OFFICIAL,
    ),
    "vit_h": Backbone(
        label="SAM ViT-H",
        width=1280,
        depth=32,
        heads=16,
        global_blocks=(7, 15, 23, 31),
        checkpoint="sam_vit_h_4b8939.pth",
        checkpoint_sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        **_OFFICIAL,
    ),
}
