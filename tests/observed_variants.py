"""What a variant does, as a value that two of them can be compared by.

Models are built and evaluated. Neither a spec's own dump nor a run's key is part of it.
"""

import contextlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ablate.errors import BadInput
from ablate.models import SegmentationModel, build, build_cnn, build_zero_shot, count, load_weights
from ablate.plan import sweep_runs
from ablate.registry import Catalogue
from ablate.runs import (
    Store,
)
from ablate.spec import (
    BACKBONES,
    CnnVariant,
    Context,
    DataIdentity,
    SamVariant,
    Variant,
    WeightsIdentity,
    ZeroShotVariant,
)
from ablate.study.matching import match_rows
from ablate.train.loss import segmentation_loss

DEMO = Catalogue().protocol("demo")
DATA = DataIdentity(label="some images", digest="0" * 64, train=10, validation=5)
_SIDE_PX = 64


def logits(variant: Variant) -> bytes:
    """The logits of a model with perturbed adapters for two images."""
    return forward(variant)[0]


def loss(variant: Variant) -> float:
    """The loss that training would minimise on two images."""
    return forward(variant)[1]


def mask(variant: Variant) -> bytes:
    """The pixels of one image that it predicts to be positive."""
    if isinstance(variant, ZeroShotVariant):
        model = build_zero_shot(
            variant,
            "vit_nano",
            image_size_px=_SIDE_PX,
            weights=nano(),
            device=torch.device("cpu"),
        )
        return model.predict(*_scene()).tobytes()
    first, _ = np.frombuffer(logits(variant), np.float32).reshape(2, _SIDE_PX, _SIDE_PX)
    return (first > 0).tobytes()


def moved(variant: Variant) -> frozenset[str]:
    """The parameters that a step of training moves: those that have a gradient."""
    if isinstance(variant, ZeroShotVariant):
        return frozenset()
    model = _model(variant)
    _step(model)[1].backward()
    return frozenset(n for n, value in model.named_parameters() if value.grad is not None)


def matched(variant: SamVariant) -> dict[str, int]:
    """The numbers of the adapter as it would be run."""
    catalogue = Catalogue()
    with TemporaryDirectory() as root:
        rows = match_rows({"row": variant}, catalogue, "vit_nano", Store(Path(root) / "none")).rows
    adapter = rows["row"].adapter.model_dump()  # type: ignore[union-attr]
    return {name: adapter[name] for name in ("width", "kernel_size")}


def mask_and_moved(variant: Variant) -> tuple[bytes, frozenset[str]]:
    """What every system has."""
    return mask(variant), moved(variant)


def fits(variant: Variant) -> dict[str, int]:
    """The SAMs whose weights the variant can be run on, with the parameters of the model."""
    counted = {}
    for backbone in BACKBONES:
        protocol = DEMO.model_copy(update={"backbone": backbone})
        weights = WeightsIdentity(label="weights", backbone=backbone, sha256="0" * 64)
        context = Context(protocol=protocol, data=DATA, weights=weights)
        with contextlib.suppress(BadInput):
            (run,) = sweep_runs({"row": variant}, context, [0])
            counted[backbone] = count(run.variant, run.context.weights.backbone).total
    return counted


@cache
def nano() -> dict[str, torch.Tensor]:
    return load_weights("vit_nano", None)


def _model(variant: SamVariant | CnnVariant) -> SegmentationModel:
    """A small one: on SAM-nano, or on a random ResNet."""
    if isinstance(variant, CnnVariant):
        return build_cnn(variant, None, seed=0)
    return build(variant, "vit_nano", image_size_px=_SIDE_PX, weights=nano(), seed=0)


@cache
def forward(variant: SamVariant | CnnVariant) -> tuple[bytes, float]:
    """Logits (2x1xSxS) and the loss; adapters are moved off zeros that would hide them."""
    model = _model(variant)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for adapter in getattr(model, "adapters", ()):
            for parameter in adapter.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        predicted, minimised = _step(model)
    return predicted.numpy().tobytes(), minimised.item()


def _step(model: SegmentationModel) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits and the loss of a step of training on two images."""
    image, mask = (torch.from_numpy(array) for array in _scene())
    images = torch.stack((image, image.flip(1))).permute(0, 3, 1, 2) / 255
    masks = torch.stack((mask, mask.flip(1)))[:, None].float()
    with torch.random.fork_rng(devices=[]):
        # For dropout.
        torch.manual_seed(0)
        weighted = model.train().weighted_logits(images)
    how = DEMO.loss
    losses = [weight * segmentation_loss(each, masks, how) for weight, each in weighted]
    return weighted[0][1], torch.stack(losses).sum()


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """An image of noise (HxWx3) and a mask (HxW) with two positive regions."""
    image = np.random.default_rng(3).integers(0, 256, (_SIDE_PX, _SIDE_PX, 3), dtype=np.uint8)
    mask = np.zeros((_SIDE_PX, _SIDE_PX), dtype=np.bool_)
    mask[:50] = True
    mask[55:, :9] = True
    return image, mask
