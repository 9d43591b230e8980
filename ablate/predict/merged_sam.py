"""A trained model as a state dict in SAM's own layout, for segment_anything's own code.

What such a row trains are SAM's own modules, or adapters that are linear in one of SAM's layers and
can be put into its weights. Without prompts SAM then gives the row's mask: no points and no boxes,
the no-mask embedding as dense prompt, mask token 0 (``multimask_output=False``).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ablate.errors import BadInput, StoreError
from ablate.models import Segmenter, build, merged
from ablate.models.from_spec import sam_weights
from ablate.models.sam import with_random_prompts
from ablate.predict.trained import TrainedModel
from ablate.spec import BACKBONES, NoAdapter, PeftAdapter, RunSpec, SamVariant, SsfAdapter

MERGED_FILE = "sam_merged.pth"

_MERGEABLE = (NoAdapter, PeftAdapter, SsfAdapter)
_NO_MASK = "prompt_encoder.no_mask_embed.weight"
_POSITIONS = "image_encoder.pos_embed"
_PLAIN = SamVariant(system="sam", adapter=NoAdapter(kind="none"), trained=("mask_decoder",))
# In logits. Measured: up to 7e-5 for SAM-nano, at logits of up to 100. What is put into the wrong
# place changes logits by more than 0.1.
_TOLERANCE = 1e-2


@dataclass(frozen=True)
class MergedFacts:
    """What an export says of the state dict.

    Attributes:
        file: The file's name.
        difference: The largest difference to the row's own model, in logits of an image of noise.
    """

    file: str
    difference: float


def check_mergeable(spec: RunSpec) -> None:
    """Looks whether what a run has trained has a place in SAM's layout.

    Raises:
        BadInput: If it has none.
    """
    variant = spec.variant
    if not isinstance(variant, SamVariant):
        raise BadInput(f"{spec.name} is not a SAM that could be merged", "omit --merged")
    if not isinstance(variant.adapter, _MERGEABLE):
        raise BadInput(
            f"the adapter of {spec.name} is of kind {variant.adapter.kind}, which is not linear in "
            "a layer of SAM and cannot be put into its weights",
            "omit --merged; rows without an adapter, or of kind peft or ssf, can be merged",
        )
    size_px = spec.context.protocol.image_size_px
    native_px = BACKBONES[spec.context.weights.backbone].image_size_px
    if "encoder" in variant.trained and size_px != native_px:
        raise BadInput(
            f"{spec.name} has trained SAM's position embedding at {size_px}×{size_px} pixels, and "
            f"SAM's layout has one for {native_px}×{native_px}",
            f"omit --merged, or train with --set image_size_px={native_px}",
        )


def write_merged(trained: TrainedModel, checkpoint: Path | None, folder: Path) -> MergedFacts:
    """Writes the state dict of a run that is mergeable, if it computes what its model computes.

    Args:
        trained: The model, on the CPU; it is left as it is.
        checkpoint: SAM's weights; None where they are part of ablate.
        folder: Where the file is to be.

    Raises:
        StoreError: If SAM with this state dict computes something else.
        OSError: If it cannot be written.
    """
    spec, model = trained.spec, trained.module
    assert isinstance(model, Segmenter)
    state = _state(spec, model, checkpoint)
    torch.save(state, folder / MERGED_FILE)
    written = torch.load(folder / MERGED_FILE, weights_only=True)
    backbone, size_px = spec.context.weights.backbone, trained.size_px
    plain = build(_PLAIN, backbone, image_size_px=size_px, weights=written, seed=0).eval()
    images = torch.randn(1, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = float((plain(images) - model(images)).abs().max())
    # NaN is not within a tolerance either.
    if not difference <= _TOLERANCE:
        raise StoreError(
            f"SAM with the weights of {spec.name} merged differs from its model by "
            f"{difference:.3g}, more than {_TOLERANCE:g}",
            "export it without --merged, and report this with the versions of torch and peft",
        )
    return MergedFacts(MERGED_FILE, difference)


def _state(spec: RunSpec, model: Segmenter, checkpoint: Path | None) -> dict[str, Tensor]:
    """SAM's state dict with what was trained, tensors with memory of their own."""
    weights = sam_weights(spec, checkpoint, half=False)
    if spec.context.protocol.prompt_weights == "random":
        weights = with_random_prompts(weights, spec.seed)
    plain = merged(model)
    state = {
        **weights,
        **plain.image_encoder.state_dict(prefix="image_encoder."),
        **plain.mask_decoder.state_dict(prefix="mask_decoder."),
        _NO_MASK: plain.no_mask.reshape(weights[_NO_MASK].shape),
    }
    if state[_POSITIONS].shape != weights[_POSITIONS].shape:
        # Resized for the images of the training, and not trained.
        state[_POSITIONS] = weights[_POSITIONS]
    return {name: state[name].detach().float().contiguous().clone() for name in weights}
