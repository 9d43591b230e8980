"""A scene's probabilities, strip by strip, each in a file of its own: what a kill leaves is kept.

A strip holds the rows that no later window reaches. Beside the strips, ``job.json`` says what they
were made from; where that has changed, they are made anew.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ablate.predict.scene import Scene, opened, read_window
from ablate.predict.trained import TrainedModel, batch_logits
from ablate.predict.windows import Axis
from ablate.runs import atomic

Strip = npt.NDArray[np.uint8]
"""Bands x rows x columns: mask, probability and, of several models, their disagreement."""

LEVELS = 250
"""A stored probability is a whole number of 1/250; the rest of a byte is left for no data."""
NO_DATA = 255

_JOB = "job.json"


class Strips:
    """The strips of one scene in a folder.

    Args:
        folder: Where they lie; it is made if need be.
        job: What decides them, as JSON.
    """

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        """Keeps the strips that are there if they are of the same job, and removes others."""
        self.folder = folder
        content = json.dumps(job, sort_keys=True).encode()
        path = folder / _JOB
        if folder.is_dir() and not (path.is_file() and path.read_bytes() == content):
            shutil.rmtree(folder)
        atomic.make_folder(folder)
        atomic.replace(path, content)

    def path(self, index: int) -> Path:
        """The file of a strip."""
        return self.folder / f"strip-{index:06}.npy"

    def done(self) -> int:
        """How many strips are there, from the first one on."""
        index = 0
        while self.path(index).is_file():
            index += 1
        return index

    def write(self, index: int, strip: Strip) -> None:
        """Writes a strip, whole or not at all."""
        content = io.BytesIO()
        np.save(content, strip)
        atomic.replace(self.path(index), content.getvalue())

    def read(self, count: int) -> Iterator[Strip]:
        """All strips in order, one at a time in memory."""
        for index in range(count):
            yield np.load(self.path(index))


def predict_strips(
    models: Sequence[TrainedModel],
    scene: Scene,
    strips: Strips,
    overlap: int,
    advance: Callable[[int, int], None],
) -> int:
    """Computes the strips that are not there yet.

    In memory are one row of windows, as float32 of the scene's width, and one batch.

    Args:
        models: One, or several whose mean is taken.
        scene: The raster.
        strips: Where they go.
        overlap: Pixels that neighbouring windows share.
        advance: Is told how many windows are done, and of how many.

    Returns:
        How many strips the scene has.

    Raises:
        DataError: If the raster cannot be read.
    """
    size = models[0].size_px
    rows, columns = Axis(scene.height, size, overlap), Axis(scene.width, size, overlap)
    total = len(rows.starts) * len(columns.starts)
    done_before = strips.done()
    if done_before >= len(rows.starts):
        advance(total, total)
        return len(rows.starts)
    # Rows of windows that reach into the first strip that is not there are computed once more.
    first = next(
        index for index, top in enumerate(rows.starts) if top + size > rows.starts[done_before]
    )
    blended = _Blended(models, scene, rows, columns)
    with opened(scene.path) as file:
        for index in range(first, len(rows.starts)):
            for done in blended.add_row(file, index):
                advance(index * len(columns.starts) + done, total)
            strip = blended.take(index)
            if index >= done_before:
                strips.write(index, strip)
    return len(rows.starts)


class _Blended:
    """The weighted sums of a row of windows over the width of the scene."""

    def __init__(
        self, models: Sequence[TrainedModel], scene: Scene, rows: Axis, columns: Axis
    ) -> None:
        self._models, self._scene, self._rows, self._columns = models, scene, rows, columns
        size = rows.size
        width = max(scene.width, size)
        self._sums = np.zeros((1 if len(models) == 1 else 2, size, width), np.float32)
        self._is_data = np.zeros((size, width), np.bool_)
        protocol = models[0].spec.context.protocol
        self._threshold = protocol.task.threshold
        self._batch = min(protocol.batch_size, 8)

    def add_row(self, file: Any, index: int) -> Iterator[int]:
        """Adds a row of windows; tells how many of it are done."""
        starts, size = self._columns.starts, self._columns.size
        top, height = self._rows.starts[index], min(size, self._scene.height)
        data = self._models[0].spec.context.protocol.data
        for begin in range(0, len(starts), self._batch):
            chosen = starts[begin : begin + self._batch]
            left, right = chosen[0], min(chosen[-1] + size, self._scene.width)
            box = (left, top, right - left, height)
            # Of several models the first one's scaling: they share the training images or nearly.
            image, is_data = read_window(file, self._scene, data, self._models[0].ranges, box)
            self._is_data[:height, left:right] = is_data
            windows = [
                _padded(image[:, start - left : start - left + size], size)
                for start in chosen
                if is_data[:, start - left : start - left + size].any()
            ]
            kept = [s for s in chosen if is_data[:, s - left : s - left + size].any()]
            if windows:
                self._add(kept, np.stack(windows))
            yield begin + len(chosen)

    def _add(self, starts: Sequence[int], windows: npt.NDArray[np.uint8]) -> None:
        probabilities = torch.sigmoid(batch_logits(self._models, windows)).numpy()
        weights = self._rows.weights[:, None] * self._columns.weights[None]
        found = [probabilities.mean(axis=0)]
        if len(self._models) > 1:
            found.append(probabilities.std(axis=0))
        for band, values in enumerate(found):
            for start, value in zip(starts, values, strict=True):
                self._sums[band, :, start : start + self._columns.size] += value * weights

    def take(self, index: int) -> Strip:
        """The rows that are final after a row of windows; what later ones reach stays."""
        top, done = self._rows.starts[index], self._rows.done_after[index]
        count, width = done - top, self._scene.width
        weights = self._rows.total[top:done, None] * self._columns.total[None]
        values = self._sums[:, :count, :width] / weights
        is_data = self._is_data[:count, :width]
        mask = (values[0] > self._threshold).astype(np.uint8)
        levels = np.rint(np.clip(values, 0, 1) * LEVELS).astype(np.uint8)
        strip = np.where(is_data, np.concatenate([mask[None], levels]), np.uint8(NO_DATA))
        for held in (self._sums, self._is_data[None]):
            held[:, : held.shape[1] - count] = held[:, count:].copy()
            held[:, held.shape[1] - count :] = 0
        return strip


def _padded(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """A window that is smaller than the model's square, mirrored beyond the scene."""
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    return np.pad(image, ((0, size - height), (0, size - width), (0, 0)), mode="symmetric")
