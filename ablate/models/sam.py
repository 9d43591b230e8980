"""SAM's own modules for every backbone: load strictly, freeze, insert adapters, unfreeze."""

import copy
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

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
from ablate.models.adapters import insert
from ablate.models.attention import replace_attention
from ablate.models.checkpoint import Shapes, gaps_between, read_tensors, shapes_of
from ablate.models.encoder_values import encoder_values
from ablate.models.nano import nano_weights
from ablate.models.segmenter import Segmenter
from ablate.spec import BACKBONES, PATCH_SIZE_PX, BackboneName, SamVariant

# All that decoding without prompts takes from the prompt encoder.
_PROMPT_WEIGHTS = (
    "prompt_encoder.no_mask_embed.weight",
    "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
)


def sam_without_weights(
    backbone: BackboneName, image_size_px: int | None = None, *, device: str = "meta"
) -> Sam:
    """SAM without values, its state dict in the official layout.

    What the official models share (segment_anything/build_sam.py) is written here as numbers;
    what differs comes from ``BACKBONES``.

    Args:
        backbone: Which geometry.
        image_size_px: Side of the images that the prompt encoder's grid is for; None: the
            native one. The image encoder is always of the native size.
        device: Where it lies. On the CPU it gets the values that segment_anything's own
            constructors draw.
    """
    geometry = BACKBONES[backbone]
    size_px = image_size_px or geometry.image_size_px
    side = size_px // PATCH_SIZE_PX
    with torch.device(device):
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
    return shapes_of(sam_without_weights(backbone).state_dict())


# Weights ----------------------------------------------------------------------------------


def load_weights(backbone: BackboneName, checkpoint: Path | None) -> dict[str, Tensor]:
    """Reads the weights of a whole SAM and checks that they fit.

    Args:
        backbone: Which SAM.
        checkpoint: The official file; None for ``vit_nano``, whose weights are part of ablate.

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
        return nano_weights()
    if checkpoint is None:
        raise WeightsError(f"{backbone} needs SAM's weights", f"give the path of {official}")
    weights = read_tensors(checkpoint, official)
    _verify(weights, backbone, checkpoint)
    return {name: value.float() for name, value in weights.items()}


def _verify(weights: Mapping[str, Tensor], backbone: BackboneName, checkpoint: Path) -> None:
    """Compares every name and every shape with the model's."""
    found = shapes_of(weights)
    expected = _shapes(backbone)
    if found == expected:
        return
    for other in BACKBONES:
        if found == _shapes(other):
            raise WeightsError(
                f"{checkpoint} holds the weights of {other}, not of {backbone}",
                f"use backbone {other}, or give the path of {BACKBONES[backbone].checkpoint}",
            )
    raise WeightsError(
        f"{checkpoint} does not fit {backbone} ({gaps_between(found, expected)})",
        f"give the path of {BACKBONES[backbone].checkpoint}",
    )


def with_random_prompts(weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The weights with a random no-mask embedding and a random positional matrix.

    So the authors' public code starts: it looks for both under other names than SAM's, with
    ``strict=False``. Both are standard normal, as segment_anything/modeling/prompt_encoder.py
    initialises them.

    Args:
        weights: The result of ``load_weights``; its other tensors are shared.
        seed: Decides the values; the global generator is left alone.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        name: torch.randn(weights[name].shape, generator=generator).to(weights[name].device)
        for name in _PROMPT_WEIGHTS
    }
    return {**weights, **drawn}


def with_random_encoder(
    weights: Mapping[str, Tensor], backbone: BackboneName, seed: int
) -> dict[str, Tensor]:
    """The weights with a random image encoder; all other tensors stay as they are.

    Its values are those that segment_anything's own constructors draw.

    Args:
        weights: The result of ``load_weights``; its other tensors are shared.
        backbone: Which SAM they are of.
        seed: Decides the values; the global generator is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        drawn = sam_without_weights(backbone, device="cpu").image_encoder.state_dict(
            prefix="image_encoder."
        )
    return {**weights, **{name: drawn[name].to(weights[name].device) for name in drawn}}


def with_half_precision_encoder(
    weights: Mapping[str, Tensor], backbone: BackboneName
) -> dict[str, Tensor]:
    """The weights with those of the encoder's products in bfloat16: half the memory to hold.

    What is computed under autocast stays the same, bit for bit: autocast would make the same copies
    of these weights again in every pass, since it caches copies of trained weights only.

    Args:
        weights: The result of ``load_weights``; all other tensors are shared.
        backbone: Which SAM they are of.
    """
    products = {
        f"image_encoder.{owner}.{name}"
        for owner, module in sam_without_weights(backbone).image_encoder.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        for name, _ in module.named_parameters(recurse=False)
    }
    return {
        name: value.bfloat16() if name in products else value for name, value in weights.items()
    }


# Building ---------------------------------------------------------------------------------


def load_sam(backbone: BackboneName, *, image_size_px: int, weights: Mapping[str, Tensor]) -> Sam:
    """SAM with its values, the prompt encoder included, all of it frozen.

    Args:
        backbone: The SAM that ``weights`` are of.
        image_size_px: Side of the images; where it is not the native one, the position
            embedding is resized.
        weights: The result of ``load_weights``, on any one device; the parameters share its
            memory.
    """
    sam = sam_without_weights(backbone, image_size_px)
    sam.load_state_dict(weights, strict=True, assign=True)
    sam.requires_grad_(False)
    if image_size_px != sam.image_encoder.img_size:
        _resize_positions(sam.image_encoder, image_size_px)
    return sam


def build(
    variant: SamVariant,
    backbone: BackboneName,
    *,
    image_size_px: int,
    weights: Mapping[str, Tensor],
    seed: int,
    sams_attention: bool = False,
) -> Segmenter:
    """Builds a variant: strict load, freeze everything, insert adapters, unfreeze.

    Args:
        variant: What is inserted and what is trained.
        backbone: The SAM that ``weights`` are of.
        image_size_px: Side of the images, as in ``load_sam``.
        weights: The result of ``load_weights``, on any one device. Frozen parameters share its
            memory, so that many variants on one device hold one image encoder; the mask
            decoder's parameters are copies.
        seed: Decides the adapters' initial values; the global generator is left alone.
        sams_attention: Keep SAM's own attention, which holds all its scores. To compare with: the
            encoder is then SAM's bit for bit, else it differs by rounding.

    Returns:
        The model on the device of ``weights``.
    """
    sam = load_sam(backbone, image_size_px=image_size_px, weights=weights)
    sam.mask_decoder = copy.deepcopy(sam.mask_decoder)
    if not sams_attention:
        replace_attention(sam.image_encoder)
    return assemble(sam, variant, seed)


def assemble(sam: Sam, variant: SamVariant, seed: int) -> Segmenter:
    """Inserts adapters into a frozen SAM and unfreezes: by module, never by a parameter's name.

    Args:
        sam: Without gradients; its modules become the model's, its image encoder is changed.
        variant: What is inserted and what is trained.
        seed: Decides the adapters' initial values.
    """
    encoder = sam.image_encoder
    device = encoder.pos_embed.device
    adapted = insert(variant.adapter, encoder, seed, sam.mask_decoder)
    # The adapters last: some are parts of the mask decoder.
    trainable = {"mask_decoder": [sam.mask_decoder], "adapter": adapted.adapters}
    for part, modules in trainable.items():
        for module in modules:
            module.to(device).requires_grad_(part in variant.trained)
    _unfreeze_encoder(encoder, adapted.adapters, variant)
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


def _unfreeze_encoder(
    encoder: ImageEncoderViT, adapters: Sequence[nn.Module], variant: SamVariant
) -> None:
    """Lets parameters of SAM's own image encoder learn, as far as ``trained`` names them.

    What is trained gets memory of its own, in float32: the weights are shared with other models.
    """
    in_adapters = {value for adapter in adapters for value in adapter.parameters()}
    for part, values in encoder_values(encoder, in_adapters).items():
        if part in variant.trained:
            for value in values:
                value.data = value.detach().float().clone()
                value.requires_grad_(True)


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
