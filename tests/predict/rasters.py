"""Small GeoTIFFs, and models whose predictions are known."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.transform import Affine
from torch.nn import functional as F  # noqa: N812

from ablate.data.generated import scene
from ablate.models import SegmentationModel
from ablate.predict import TrainedModel

NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 3_000_000)


def write_raster(path: Path, pixels: npt.NDArray[Any], **profile: Any) -> Path:
    """A GeoTIFF of an array, HxWxC, in UTM 48N with pixels of half a metre."""
    height, width, bands = pixels.shape
    defaults = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": bands,
        "dtype": pixels.dtype.name,
        "crs": "EPSG:32648",
        "transform": NORTH_UP,
    }
    given = {key: value for key, value in (defaults | profile).items() if value is not None}
    with warnings.catch_warnings():
        # Some tests mean a raster without coordinates.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **given) as file:
            file.write(np.moveaxis(pixels, 2, 0))
    return path


def landscape(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Generated scenes of 64 pixels side by side, HxWx3."""
    rows = []
    for row in range(-(-height // 64)):
        rows.append(np.hstack([scene(1, row * 50 + c, 64)[0] for c in range(-(-width // 64))]))
    return np.vstack(rows)[:height, :width]


class Bright(SegmentationModel):
    """Positive where the red band, blurred over a neighbourhood, is bright."""

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        side = 2 * self.radius + 1
        padded = F.pad(images[:, :1], (self.radius,) * 4, mode="replicate")
        return 4 * F.avg_pool2d(padded, side, stride=1)


class InWindow(SegmentationModel):
    """Positive in the left half of every window, whatever it shows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        side = images.shape[-1]
        across = torch.linspace(8, -8, side, dtype=images.dtype)
        return across.expand(len(images), 1, side, side)


def with_module(models: Sequence[TrainedModel], module: SegmentationModel) -> list[TrainedModel]:
    """The first model with another module."""
    return [replace(models[0], module=module)]
