"""The parts of SAM in plain numbers, as segment_anything/modeling builds them."""

from ablate.spec.backbone import PATCH_SIZE_PX, Backbone
from ablate.spec.layer import Layer, conv, linear, norm

# What all sizes share: segment_anything/build_sam.py and the defaults of its classes.
_MLP_RATIO = 4
_MASK_CHANNELS = 16
_MASK_TOKENS = 4
_DECODER_LAYERS = 2
_CROSS_ATTENTION_SHRINKS = 2


def sam_layers(backbone: Backbone) -> list[Layer]:
    """SAM's three parts, from the image to the masks."""
    wide, narrow = backbone.width, backbone.prompt_width
    prompts, masks = f"points, boxes, masks → {narrow}", f"{narrow} → {_MASK_TOKENS} masks"
    encoder = f"patches of width {wide}, {backbone.depth} blocks, neck"
    decoder = f"{_DECODER_LAYERS} two-way layers, upscaling"
    return [
        Layer("image encoder", encoder, f"3 → {narrow}", image_encoder_parameters(backbone)),
        Layer("prompt encoder", "embeddings", prompts, prompt_encoder_parameters(backbone)),
        Layer("mask decoder", decoder, masks, mask_decoder_parameters(backbone)),
    ]


def image_encoder_parameters(backbone: Backbone) -> int:
    """Patch and position embedding, blocks and neck, at the native image size."""
    wide, narrow = backbone.width, backbone.prompt_width
    grid = backbone.image_size_px // PATCH_SIZE_PX
    embedding = conv(3, wide, PATCH_SIZE_PX, has_bias=True) + grid * grid * wide
    blocks = sum(
        _block(backbone, grid if index in backbone.global_blocks else backbone.window)
        for index in range(backbone.depth)
    )
    neck = conv(wide, narrow, 1, has_bias=False) + conv(narrow, narrow, 3, has_bias=False)
    return embedding + blocks + neck + 2 * norm(narrow)


def prompt_encoder_parameters(backbone: Backbone) -> int:
    """Embeddings of points, boxes and masks; the Gaussian positional matrix is a buffer."""
    wide, few = backbone.prompt_width, _MASK_CHANNELS // 4
    # Two signs of a point, two corners of a box, "no point" and "no mask".
    embeddings = 6 * wide
    mask = conv(1, few, 2, has_bias=True) + norm(few)
    mask += conv(few, _MASK_CHANNELS, 2, has_bias=True) + norm(_MASK_CHANNELS)
    return embeddings + mask + linear(_MASK_CHANNELS, wide)


def mask_decoder_parameters(backbone: Backbone) -> int:
    """Tokens, two-way transformer, upscaling, hypernetworks and the head of mask quality."""
    wide, quarter, eighth = (backbone.prompt_width // by for by in (1, 4, 8))
    tokens = (1 + _MASK_TOKENS) * wide
    cross = _attention(wide, wide // _CROSS_ATTENTION_SHRINKS)
    mlp = linear(wide, backbone.decoder_mlp_width) + linear(backbone.decoder_mlp_width, wide)
    layer = _attention(wide, wide) + 2 * cross + mlp + 4 * norm(wide)
    transformer = _DECODER_LAYERS * layer + cross + norm(wide)
    upscaling = conv(wide, quarter, 2, has_bias=True) + norm(quarter)
    upscaling += conv(quarter, eighth, 2, has_bias=True)
    hypernetwork = 2 * linear(wide, wide) + linear(wide, eighth)
    hidden = backbone.iou_head_width
    quality = linear(wide, hidden) + linear(hidden, hidden) + linear(hidden, _MASK_TOKENS)
    return tokens + transformer + upscaling + _MASK_TOKENS * hypernetwork + quality


def _block(backbone: Backbone, attention_side: int) -> int:
    """One transformer block; its two tables of relative positions fit the attention's side."""
    wide = backbone.width
    tables = 2 * (2 * attention_side - 1) * (wide // backbone.heads)
    attention = linear(wide, 3 * wide) + linear(wide, wide) + tables
    mlp = linear(wide, _MLP_RATIO * wide) + linear(_MLP_RATIO * wide, wide)
    return attention + mlp + 2 * norm(wide)


def _attention(wide: int, inner: int) -> int:
    """Projections of queries, keys and values, and back."""
    return 3 * linear(wide, inner) + linear(inner, wide)
