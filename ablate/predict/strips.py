"""A scene's probabilities, strip by strip, each in a file of its own: what a kill leaves is kept.

A strip holds the rows that no later window reaches. Beside the strips, ``job.json`` says what they
were made from; where that has changed, they are made anew.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ablate.errors import BadInput
from ablate.models.devices import free_bytes
from ablate.predict.pool import Copy, ModelPool
from ablate.predict.scene import Scene, opened, read_window
from ablate.predict.trained import TrainedModel
from ablate.predict.windows import Axis
from ablate.runs import atomic, shown
from ablate.runs.disk import size_text

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


def check_memory(scene: Scene, size_px: int, models: int) -> None:
    """Refuses a raster whose row of windows does not fit into memory, before anything starts.

    Args:
        scene: The raster.
        size_px: Side of a window.
        models: How many are averaged.

    Raises:
        BadInput: If it does not fit.
    """
    # The weighted sums and, of several models, those of their deviation; and what is data.
    needed = scene.width * size_px * (4 * min(models, 2) + 1)
    free = free_bytes(torch.device("cpu"))
    if free is not None and needed > free:
        raise BadInput(
            f"{shown(scene.path)} is {scene.width:,} pixels wide: a row of windows needs "
            f"{size_text(needed)} of memory, {size_text(free)} are free",
            "cut it into narrower parts, such as with gdal_retile.py",
        )


def predict_strips(
    model: TrainedModel,
    pool: ModelPool,
    scene: Scene,
    strips: Strips,
    overlap: int,
    advance: Callable[[int, int], None],
) -> int:
    """Computes the strips that are not there yet.

    In memory are one row of windows, as float32 of the scene's width, and a batch or two for each
    device.

    Args:
        model: The first of those whose mean is taken.
        pool: The devices that they are on.
        scene: The raster.
        strips: Where they go.
        overlap: Pixels that neighbouring windows share.
        advance: Is told how many windows are done, and of how many.

    Returns:
        How many strips the scene has.

    Raises:
        DataError: If the raster cannot be read.
        RunFailed: If a device fails, or has too little memory for a single window.
    """
    size = model.size_px
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
    blended = _Blended(model, pool, scene, rows, columns)
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
        self, model: TrainedModel, pool: ModelPool, scene: Scene, rows: Axis, columns: Axis
    ) -> None:
        self._model, self._pool, self._scene = model, pool, scene
        self._rows, self._columns = rows, columns
        size = rows.size
        width = max(scene.width, size)
        self._sums = np.zeros((1 if pool.models == 1 else 2, size, width), np.float32)
        self._is_data = np.zeros((size, width), np.bool_)
        protocol = model.spec.context.protocol
        self._threshold = protocol.task.threshold
        self._batch = min(protocol.batch_size, 8)

    def add_row(self, file: Any, index: int) -> Iterator[int]:
        """Adds a row of windows; tells how many of it are done."""
        done = 0
        for batch, found in self._pool.map(_predicted, self._batches(file, index)):
            if found is not None:
                self._add(batch.kept, found)
            done += batch.count
            yield done

    def _batches(self, file: Any, index: int) -> Iterator["_Batch"]:
        """A row of windows, read a batch at a time."""
        starts, size = self._columns.starts, self._columns.size
        top, height = self._rows.starts[index], min(size, self._scene.height)
        data = self._model.spec.context.protocol.data
        for begin in range(0, len(starts), self._batch):
            chosen = starts[begin : begin + self._batch]
            left, right = chosen[0], min(chosen[-1] + size, self._scene.width)
            box = (left, top, right - left, height)
            # Of several models the first one's scaling: they share the training images or nearly.
            image, is_data = read_window(file, self._scene, data, self._model.ranges, box)
            self._is_data[:height, left:right] = is_data
            kept = [s for s in chosen if is_data[:, s - left : s - left + size].any()]
            windows = [_padded(image[:, s - left : s - left + size], size) for s in kept]
            yield _Batch(len(chosen), kept, windows)

    def _add(self, starts: Sequence[int], found: npt.NDArray[np.float32]) -> None:
        weights = self._rows.weights[:, None] * self._columns.weights[None]
        for sums, values in zip(self._sums, found, strict=True):
            for start, value in zip(starts, values, strict=True):
                sums[:, start : start + self._columns.size] += value * weights

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


@dataclass(frozen=True)
class _Batch:
    """Some windows of a row.

    Attributes:
        count: How many there are.
        kept: Where those begin that have data.
        windows: Those, SxSx3 each.
    """

    count: int
    kept: list[int]
    windows: list[npt.NDArray[np.uint8]]


def _predicted(copy: Copy, batch: _Batch) -> tuple[_Batch, npt.NDArray[np.float32] | None]:
    """The batch with the mean of its probabilities and, of several models, their deviation."""
    if not batch.windows:
        return batch, None
    each = torch.sigmoid(copy.logits(np.stack(batch.windows))).numpy()
    bands = [each.mean(axis=0)] if len(each) == 1 else [each.mean(axis=0), each.std(axis=0)]
    return replace(batch, windows=[]), np.stack(bands)


def _padded(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """A window that is smaller than the model's square, mirrored beyond the scene."""
    height, width = image.shape[:2]
    if (height, width) == (size, size):
        return image
    return np.pad(image, ((0, size - height), (0, size - width), (0, 0)), mode="symmetric")
