"""Models of other variants than the one that the tests of this room train."""

from typing import Any

import numpy as np
import torch
from torch import nn

from ablate.data.generated import scene
from ablate.models.cnn import build_cnn
from ablate.models.sam import build, load_weights
from ablate.predict import TrainedModel
from ablate.registry import Catalogue
from ablate.spec import SamVariant


def scenes(count: int, size_px: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Generated scenes, count x 3 x S x S, in 0..1."""
    pixels = np.stack([scene(5, index, size_px)[0] for index in range(count)])
    images: np.ndarray[Any, np.dtype[np.float32]] = np.float32(pixels / 255).transpose(0, 3, 1, 2)
    return images


def perturb(model: nn.Module) -> None:
    """Trained parameters as after a short training: adapters that start as the identity move."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value += 0.002 * torch.randn(value.shape, generator=generator)


def as_if_trained(model: TrainedModel, name: str, size_px: int = 128) -> TrainedModel:
    """A variant of the catalogue on SAM-nano, with the spec of another trained model else."""
    variant = Catalogue().variant(name)
    protocol = model.spec.context.protocol.model_copy(update={"image_size_px": size_px})
    context = model.spec.context.model_copy(update={"protocol": protocol})
    spec = model.spec.model_copy(update={"name": name, "variant": variant, "context": context})
    if isinstance(variant, SamVariant):
        weights = load_weights("vit_nano", None)
        module: Any = build(variant, "vit_nano", image_size_px=size_px, weights=weights, seed=0)
        perturb(module)
    else:
        assert variant.system == "cnn"
        module = build_cnn(variant, None, 0)
        # Running statistics of these very images.
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = None
        with torch.no_grad():
            module.train()(torch.from_numpy(scenes(4, size_px)))
    return TrainedModel(spec, module.eval(), torch.device("cpu"), None, "")
