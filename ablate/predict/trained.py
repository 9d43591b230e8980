"""A trained row, ready to segment images: one model, or several of different seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow
from torch.nn import functional as F  # noqa: N812

from ablate.data.arrays import as_image, bands_for
from ablate.data.batches import Pixels, ToDevice
from ablate.data.images import Image, Mask
from ablate.data.rasters import is_tiff, read_tiff, tiff_header
from ablate.data.reading import decode, read_image
from ablate.data.scaling import Ranges
from ablate.errors import DataError
from ablate.metrics.confusion import predict
from ablate.models import SegmentationModel, forward_together
from ablate.models.devices import computing_in, precision_on
from ablate.spec import BijieData, Data, GeneratedData, RunSpec

_IMAGES = (BijieData, GeneratedData)
"""Data whose images are 8-bit grey or RGB, with nothing to declare."""


@dataclass(frozen=True)
class TrainedModel:
    """Trained weights in their model, with the preprocessing that they were trained with.

    Attributes:
        spec: The run that trained them.
        module: The model: normalised images (Bx3xSxS) to logits (Bx1xSxS). Its frozen parts do not
            require gradients; a training loop of one's own may change that.
        device: Where it computes.
        ranges: The percentiles of the training images, where the data declare any.
        weights_sha256: Of the file of the trained weights.
        ground_m: Metres that a pixel of the model's square was wide in training; None: not known.
    """

    spec: RunSpec
    module: SegmentationModel
    device: torch.device
    ranges: Ranges | None
    weights_sha256: str
    ground_m: float | None = None

    @property
    def size_px(self) -> int:
        """Side of the square images that the model takes."""
        return self.spec.context.protocol.image_size_px

    def logits(self, image: npt.NDArray[Any] | str | Path) -> torch.Tensor:
        """Logits of the positive class, HxW, on the CPU, for one image of any size.

        The image is handled as a training image: resized to the model's square without keeping the
        aspect ratio. The logits are resized back, bilinearly. Rasters that are much larger than
        the training images are for ``ablate predict``, which goes through them by windows.

        Args:
            image: Shape HxWxC or HxW, or a path. As the training images were: uint8 in RGB or
                grey, unless their data set declared bands and a scale.

        Raises:
            DataError: If it cannot be read, or is not of the training images' kind.
        """
        rgb = self.image_of(image)
        side = (self.size_px, self.size_px)
        resized = np.asarray(Pillow.fromarray(rgb).resize(side, Pillow.Resampling.BILINEAR))
        logits = batch_logits([self], resized[None])
        if rgb.shape[:2] != side:
            size = (rgb.shape[0], rgb.shape[1])
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits[0, 0]

    def probability(self, image: npt.NDArray[Any] | str | Path) -> npt.NDArray[np.float32]:
        """The probability of the positive class, 0 to 1, HxW; see ``logits``."""
        found: npt.NDArray[np.float32] = torch.sigmoid(self.logits(image)).numpy()
        return found

    def predict(self, image: npt.NDArray[Any] | str | Path) -> Mask:
        """True where the positive class is predicted, HxW; see ``logits``."""
        threshold = self.spec.context.protocol.task.threshold
        mask: Mask = predict(self.logits(image), threshold).numpy()
        return mask

    def image_of(self, image: npt.NDArray[Any] | str | Path) -> Image:
        """The image as training would have read it, HxWx3; see ``logits``."""
        return self._read(image) if isinstance(image, str | Path) else self._of_array(image)

    def _of_array(self, values: npt.NDArray[Any]) -> Image:
        if not isinstance(values, np.ndarray) or values.ndim not in (2, 3) or not values.size:
            shape = getattr(values, "shape", type(values).__name__)
            raise DataError(
                f"{shape} is not an image", "give a NumPy array of shape HxWxC, HxW, or a path"
            )
        values = values.reshape(*values.shape[:2], -1)
        return self._scaled(values, np.ones(values.shape[:2], np.bool_), "the array")

    def _read(self, path: str | Path) -> Image:
        path = Path(path)
        data = self.spec.context.protocol.data
        if not path.is_file():
            raise DataError(f"there is no file {path}", "give the path of an image")
        if isinstance(data, _IMAGES) or not is_declared(data):
            return read_image(path)
        no_data = None
        if is_tiff(path):
            header = tiff_header(path)
            values, no_data = read_tiff(path, header), header.no_data
            if header.has_alpha:
                values = values[..., :-1]
        else:
            image = decode(path)
            has_mode = image.mode in ("L", "RGB") or image.mode.startswith("I")
            values = np.asarray(image if has_mode else image.convert("RGB"))
            values = values.reshape(*values.shape[:2], -1)
        is_data = np.ones(values.shape[:2], np.bool_)
        if no_data is not None:
            bands = bands_for(data, values.shape[2], values.dtype.name, str(path))
            is_data = ~(values[..., list(bands)] == no_data).all(axis=2)
        return self._scaled(values, is_data, str(path))

    def _scaled(self, values: npt.NDArray[Any], is_data: npt.NDArray[np.bool_], what: str) -> Image:
        data = self.spec.context.protocol.data
        bands = bands_for(data, values.shape[2], values.dtype.name, what)
        return as_image(values[..., list(bands)], is_data, data, self.ranges)


def is_declared(data: Data) -> bool:
    """Whether data say which bands are shown or how values become 0 to 255."""
    given = (getattr(data, name, None) for name in ("bands", "scale", "channels"))
    return any(value is not None for value in given)


def batch_logits(models: Sequence[TrainedModel], images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """The logits of several models for a batch, on the CPU.

    Args:
        models: Of the same protocol, data and device.
        images: Shape BxSxSx3, uint8, RGB, of the size that the models take.

    Returns:
        Float32, MxBxSxS.
    """
    first = models[0]
    protocol, device = first.spec.context.protocol, first.device
    # No mask is there: what training would move to the device beside the images is empty.
    no_masks = torch.zeros((len(images), 1, 1), dtype=torch.uint8)
    pixels = Pixels(torch.from_numpy(np.array(images)), no_masks, list(range(len(images))))
    batch = ToDevice(protocol, None, device)(pixels)
    precision = precision_on(device, protocol.precision)
    is_half = precision == "bfloat16"
    modules = [model.module for model in models]
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        with (
            torch.inference_mode(),
            computing_in(device, precision),
            torch.autocast(device.type, torch.bfloat16, enabled=is_half),
        ):
            found = forward_together(modules, batch.images)
            return torch.stack([each.float().squeeze(1).cpu() for each in found])
    finally:
        # A training loop of the user's own goes on as it was.
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)
