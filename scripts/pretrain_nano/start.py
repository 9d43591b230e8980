"""The values that pre-training starts from.

From PyTorch's usual ones, a SAM of this size answers with nothing for hundreds of steps: a
prompt's place reaches the masks only through products of small numbers. So it starts from the
values that keep a picture (``picture.py``), and with attention that already looks where a
prompt points:

- Cross attention's queries and keys are projected alike, so that equal positions attract.
- Norms are weakened, so that positions outweigh contents in the scores.
- Tokens of the image carry their place, as waves of several lengths.
"""

import torch
from segment_anything.modeling import Sam
from segment_anything.modeling.transformer import TwoWayTransformer
from torch import nn

from ablate.models.sam import sam_without_weights
from scripts.pretrain_nano.picture import fill, waves

_SHARPNESS = 0.2
_PROMPT_KIND = 0.25
_NO_MASK = 0.1
_POSITION = 0.5
_IMAGE_CONTENT, _DECODER_CONTENT = 0.4, 0.5


def fresh(seed: int) -> Sam:
    """SAM-nano as training finds it, on the CPU; the global generator is left alone.

    Args:
        seed: Decides the decoder's cross attention. The rest is the same for every seed.
    """
    sam = sam_without_weights("vit_nano")
    empty = {name: torch.empty(value.shape) for name, value in sam.state_dict().items()}
    sam.load_state_dict(empty, strict=True, assign=True)
    fill(sam)
    with torch.no_grad():
        encoder, prompts = sam.image_encoder, sam.prompt_encoder
        positions = torch.from_numpy(waves(*encoder.pos_embed.shape[2:]))
        encoder.pos_embed.copy_(_POSITION * positions)
        encoder.neck[3].weight.fill_(_IMAGE_CONTENT)
        for kind in prompts.point_embeddings:
            kind.weight.mul_(_PROMPT_KIND)
        prompts.no_mask_embed.weight.mul_(_NO_MASK)
        _look_where_prompts_point(sam.mask_decoder.transformer, seed)
    return sam


def _look_where_prompts_point(transformer: TwoWayTransformer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    attentions = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in attentions:
        query, key = attention.q_proj, attention.k_proj
        query.weight.normal_(std=_SHARPNESS, generator=generator)
        key.weight.copy_(query.weight)
    for module in transformer.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(_DECODER_CONTENT)
