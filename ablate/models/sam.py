"""SAM's own modules for every backbone: load strictly, freeze, insert adapters, unfreeze."""

import copy
import zipfile
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.errors import WeightsError
from ablate.models import nano
from ablate.models.adapters import insert
from ablate.models.segmenter import Segmenter, some
from ablate.runs import Parameters
from ablate.spec import BACKBONES, PATCH_SIZE_PX, BackboneName, Variant

Shapes = dict[str, tuple[int, ...]]


def bare(backbone: BackboneName, image_size_px: int | None = None) -> Sam:
    """SAM without values, on the meta device, its state dict in the official layout.

    What the official models share (segment_anything/build_sam.py) stands here as numbers; what
    differs comes from ``BACKBONES``.

    Args:
        backbone: Which geometry.
        image_size_px: Side of the images that the prompt encoder's grid is for; None: the
            native one. The image encoder is always of the native size.
    """
    geometry = BACKBONES[backbone]
    size_px = image_size_px or geometry.image_size_px
    side = size_px // PATCH_SIZE_PX
    with torch.device("meta"):
        image_encoder = ImageEncoderViT(
            img_size=geometry.image_size_px,
            patch_size=PATCH_SIZE_PX,
            embed_dim=geometry.width,
            depth=geometry.depth,
            num_heads=geometry.heads,
            mlp_ratio=4,
            out_chans=geometry.prompt_width,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=geometry.window,
            global_attn_indexes=geometry.global_blocks,
        )
        prompt_encoder = PromptEncoder(
            embed_dim=geometry.prompt_width,
            image_embedding_size=(side, side),
            input_image_size=(size_px, size_px),
            mask_in_chans=16,
        )
        mask_decoder = MaskDecoder(
            transformer_dim=geometry.prompt_width,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=geometry.prompt_width,
                num_heads=8,
                mlp_dim=geometry.decoder_mlp_width,
            ),
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=geometry.iou_head_width,
        )
    return Sam(image_encoder, prompt_encoder, mask_decoder)


@cache
def _shapes(backbone: BackboneName) -> Shapes:
    return {name: tuple(value.shape) for name, value in bare(backbone).state_dict().items()}


# Weights ----------------------------------------------------------------------------------


def load_weights(backbone: BackboneName, checkpoint: Path | None) -> dict[str, Tensor]:
    """Reads the weights of a whole SAM (or makes SAM-nano's) and checks that they fit.

    Args:
        backbone: Which SAM.
        checkpoint: The official file; None for ``vit_nano``, whose weights ablate makes.

    Returns:
        The state dict in the official layout (``image_encoder.*``, ``prompt_encoder.*``,
        ``mask_decoder.*``), float32 on the CPU; large files are mapped, not read, until used.

    Raises:
        WeightsError: If the file is missing, is no checkpoint of plain tensors, or is not of
            this SAM in every name and shape.
    """
    official = BACKBONES[backbone].checkpoint
    if official is None:
        if checkpoint is not None:
            raise WeightsError(
                f"{backbone} has weights of its own, but the checkpoint {checkpoint} was given",
                "leave the checkpoint out, or name the backbone that it is for",
            )
        return nano.fill(bare(backbone).to_empty(device="cpu"))
    if checkpoint is None:
        raise WeightsError(f"{backbone} needs SAM's weights", f"give the path of {official}")
    weights = _read(checkpoint, official)
    _verify(weights, backbone, checkpoint)
    return {name: value.float() for name, value in weights.items()}


def _read(checkpoint: Path, official: str) -> dict[str, Tensor]:
    """Reads a file of tensors without ever running code from it."""
    repair = f"download {official} again"
    if not checkpoint.is_file():
        raise WeightsError(f"there is no file {checkpoint}", f"give the path of {official}")
    with checkpoint.open("rb") as file:
        start = file.read(512).lstrip()
    if start.startswith(b"<"):
        raise WeightsError(f"{checkpoint} is a web page, not a checkpoint", repair)
    whole = zipfile.is_zipfile(checkpoint)
    if start.startswith(b"PK") and not whole:
        size = checkpoint.stat().st_size
        raise WeightsError(f"{checkpoint} is cut short, at {size} bytes", repair)
    try:
        # Only the zip format can be mapped into memory.
        content: Any = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=whole)
    except Exception as error:  # Unpickling foreign bytes can raise nearly anything.
        raise WeightsError(
            f"{checkpoint} is not a checkpoint of plain tensors (pickled code is never run)",
            repair,
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise WeightsError(
            f"{checkpoint} holds something else than a state dict of tensors",
            f"give the path of {official}, or extract the state dict",
        )
    return content


def _verify(weights: Mapping[str, Tensor], backbone: BackboneName, checkpoint: Path) -> None:
    """Compares every name and every shape with the model's."""
    found = {name: tuple(value.shape) for name, value in weights.items()}
    expected = _shapes(backbone)
    if found == expected:
        return
    for other in BACKBONES:
        if found == _shapes(other):
            raise WeightsError(
                f"{checkpoint} holds the weights of {other}, not of {backbone}",
                f"use backbone {other}, or give the path of {BACKBONES[backbone].checkpoint}",
            )
    gaps = {
        "missing": expected.keys() - found.keys(),
        "unexpected": found.keys() - expected.keys(),
        "misshapen": {
            f"{name} {found[name]} for {expected[name]}"
            for name in found.keys() & expected.keys()
            if found[name] != expected[name]
        },
    }
    listed = "; ".join(f"{what}: {some(names)}" for what, names in gaps.items() if names)
    raise WeightsError(
        f"{checkpoint} does not fit {backbone} ({listed})",
        f"give the path of {BACKBONES[backbone].checkpoint}",
    )


# Building ---------------------------------------------------------------------------------


def build(
    variant: Variant,
    backbone: BackboneName,
    *,
    image_size_px: int,
    weights: Mapping[str, Tensor],
    seed: int,
) -> Segmenter:
    """Builds a variant: strict load, freeze everything, insert adapters, unfreeze.

    Args:
        variant: What is inserted and what is trained.
        backbone: The SAM that ``weights`` are of.
        image_size_px: Side of the images; where it is not the native one, the position
            embedding is resized.
        weights: The result of ``load_weights``, on any one device. Frozen parameters share its
            memory, so that many variants on one device hold one trunk; the mask decoder's
            parameters are copies.
        seed: Decides the adapters' initial values; the global generator is left alone.

    Returns:
        The model on the device of ``weights``.
    """
    sam = bare(backbone, image_size_px)
    sam.load_state_dict(weights, strict=True, assign=True)
    sam.mask_decoder = copy.deepcopy(sam.mask_decoder)
    return _assemble(sam, variant, image_size_px, seed)


def count(variant: Variant, backbone: BackboneName) -> Parameters:
    """Counts a variant's parameters at the native image size, without weights or memory.

    Args:
        variant: What is inserted and what is trained.
        backbone: The SAM that it is inserted into.
    """
    native_px = BACKBONES[backbone].image_size_px
    return _assemble(bare(backbone), variant, native_px, seed=0).parameters_counted()


def _assemble(sam: Sam, variant: Variant, image_size_px: int, seed: int) -> Segmenter:
    """Freezes, inserts and unfreezes: by module, never by a parameter's name."""
    sam.requires_grad_(False)
    encoder = sam.image_encoder
    device = encoder.pos_embed.device
    if image_size_px != encoder.img_size:
        _resize_positions(encoder, image_size_px)
    adapted = insert(variant.adapter, encoder, seed)
    trainable = {"adapter": adapted.adapters, "mask_decoder": [sam.mask_decoder]}
    for part, modules in trainable.items():
        for module in modules:
            module.to(device).requires_grad_(part in variant.trained)
    prompts = sam.prompt_encoder
    no_mask = prompts.no_mask_embed.weight.reshape(1, -1, 1, 1).clone()
    if "no_mask_embedding" in variant.trained:
        no_mask = nn.Parameter(no_mask)
    return Segmenter(
        adapted.encoder,
        sam.mask_decoder,
        adapted.adapters,
        sites=adapted.sites,
        no_mask=no_mask,
        image_pe=prompts.get_dense_pe(),
    )


def _resize_positions(encoder: ImageEncoderViT, image_size_px: int) -> None:
    """Fits the absolute position embedding (1xHxWxM) to another image size.

    The tables of relative positions stay: SAM's own attention interpolates them.
    """
    side = image_size_px // PATCH_SIZE_PX
    native = encoder.pos_embed.permute(0, 3, 1, 2)
    resized = F.interpolate(native, size=(side, side), mode="bicubic", align_corners=False)
    positions = resized.permute(0, 2, 3, 1).contiguous()
    encoder.pos_embed = nn.Parameter(positions, requires_grad=False)
    encoder.img_size = image_size_px
