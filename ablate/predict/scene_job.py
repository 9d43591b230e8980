"""The files of one scene.

For a raster ``NAME.tif``: ``NAME-mask.tif``, ``NAME-probability.tif``, ``NAME.gpkg`` and the
quick look ``NAME.png``; for a photograph ``NAME-mask.png``, ``NAME-probability.png`` and
``NAME.png``. ``NAME.json``, published last, says what they were made from: where it is there, the
scene is done.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ablate.errors import BadInput, DataError, RunFailed, StoreError
from ablate.predict.map_settings import MapSettings
from ablate.predict.maps import as_png, outlined, quick_look, write_maps
from ablate.predict.polygons import write_polygons
from ablate.predict.pool import Copy, ModelPool
from ablate.predict.scene import Scene
from ablate.predict.strips import LEVELS, NO_DATA, Strips, predict_strips
from ablate.predict.trained import TrainedModel
from ablate.runs import atomic, shown

FORM = 1
"""Raised by one whenever the same inputs give other maps."""

_QUICK_LOOK_PX = 1024


@dataclass(frozen=True)
class SceneOutcome:
    """What became of a scene.

    Attributes:
        path: The file.
        files: The maps.
        positive_percent: Share of positive pixels among those that are data; None: none is.
        polygons: How many there are; None where none were made.
        problem: Why there are no maps; None if there are.
        was_done: Whether an earlier start had made them.
    """

    path: Path
    files: tuple[Path, ...] = ()
    positive_percent: float | None = None
    polygons: int | None = None
    problem: str | None = None
    was_done: bool = False


class SceneJob:
    """One scene, and the files that are made of it.

    Args:
        models: One, or several whose mean is taken.
        item: The raster, or the path of a photograph.
        out: The folder of the maps.
        settings: How they are made.
    """

    def __init__(
        self, models: Sequence[TrainedModel], item: Scene | Path, out: Path, settings: MapSettings
    ) -> None:
        """Looks at the file's size and date; writes nothing."""
        self._model, self._item, self._settings = models[0], item, settings
        self.path = item if isinstance(item, Path) else item.path
        name, suffix = self.path.stem, ".png" if isinstance(item, Path) else ".tif"
        self._mask, self._probability = (
            out / f"{name}-{what}{suffix}" for what in ("mask", "probability")
        )
        self._polygons = out / f"{name}.gpkg"
        self._look, self._done = out / f"{name}.png", out / f"{name}.json"
        self._partial = out / f".{name}.partial"
        status = self.path.stat()
        # The names of the weights' files and of the scene; where it lies does not matter.
        self._strips_job: dict[str, Any] = {
            "form": FORM,
            "scene": [self.path.name, status.st_size, status.st_mtime_ns],
            "runs": [model.spec.key for model in models],
            "weights": [model.weights_sha256 for model in models],
            "resolution_m": settings.grid_m,
            "overlap_percent": settings.overlap_percent,
        }
        self._job = self._strips_job | {
            "polygons": settings.polygons,
            "min_area": settings.min_area,
            "simplify_px": settings.simplify_px,
        }

    def check_names(self) -> None:
        """Refuses to write over what is not of this job.

        Raises:
            BadInput: If there is anything.
        """
        if self._done.exists():
            if self._known() is None:
                raise BadInput(
                    f"{shown(self._done.parent)} holds maps of {self.path.name} that were made "
                    "from another file, by another model or with other options",
                    "name another folder",
                )
            return
        if self._partial.is_dir():
            return
        names = (self._mask, self._probability, self._polygons, self._look)
        for path in names:
            if path.exists():
                raise BadInput(
                    f"{shown(path)} exists", "name another folder: nothing is overwritten"
                )

    @property
    def is_photograph(self) -> bool:
        """Whether it has no coordinates, and is taken as a whole."""
        return isinstance(self._item, Path)

    def outcome(self, make: Callable[[], dict[str, Any]]) -> SceneOutcome:
        """What becomes of it, made by ``photograph`` or ``raster`` if it is not there yet."""
        if (known := self._known()) is not None:
            # A kill may have come between the last file and this.
            shutil.rmtree(self._partial, ignore_errors=True)
            return self._outcome(known, was_done=True)
        try:
            found = make()
        except (DataError, RunFailed) as error:
            return SceneOutcome(self.path, problem=str(error))
        content = json.dumps({"job": self._job, **found}, indent=2)
        self._put(self._done, f"{content}\n".encode())
        shutil.rmtree(self._partial, ignore_errors=True)
        return self._outcome(found, was_done=False)

    def _put(self, path: Path, content: bytes) -> None:
        # By way of a folder that is this scene's own: to look for what dead processes have left
        # among the files of thousands of scenes would take longer than to make them.
        atomic.replace(path, content, self._partial)

    def _known(self) -> dict[str, Any] | None:
        """What an earlier start has noted of the same job."""
        try:
            document = json.loads(self._done.read_bytes())
        except (OSError, ValueError):
            return None
        is_same = isinstance(document, dict) and document.get("job") == self._job
        return document if is_same else None

    def _outcome(self, found: dict[str, Any], *, was_done: bool) -> SceneOutcome:
        files = [self._mask, self._probability, self._look]
        if found.get("polygons") is not None:
            files.append(self._polygons)
        return SceneOutcome(
            self.path,
            tuple(files),
            found.get("positive_percent"),
            found.get("polygons"),
            was_done=was_done,
        )

    def photograph(self, copy: Copy) -> dict[str, Any]:
        """Makes the masks of a photograph.

        Raises:
            DataError: If it cannot be read.
            RunFailed: If the device fails, or has too little memory.
        """
        first = copy.models[0]
        # The same size as the mask, whatever the file's orientation.
        image = first.image_of(self.path)
        found = copy.attempt(lambda: [model.probability(self.path) for model in copy.models])
        if found is None:
            raise copy.too_short()
        probability = np.mean(found, axis=0)
        mask = probability > first.spec.context.protocol.task.threshold
        atomic.make_folder(self._partial)
        levels = np.rint(probability * 255).astype(np.uint8)
        self._put(self._mask, as_png(mask.astype(np.uint8) * 255))
        self._put(self._probability, as_png(levels))
        self._put(self._look, outlined(image, mask))
        return {"positive_percent": 100 * float(mask.mean()), "polygons": None}

    def raster(self, pool: ModelPool, advance: Callable[[int, int], None]) -> dict[str, Any]:
        """Makes the maps of a raster.

        Raises:
            DataError: If it cannot be read.
            RunFailed: If a device fails, or has too little memory.
        """
        scene = self._item
        assert isinstance(scene, Scene)
        strips = Strips(self._partial, self._strips_job)
        overlap = self._model.size_px * self._settings.overlap_percent // 100
        count = predict_strips(self._model, pool, scene, strips, overlap, advance)
        with _written(self.path):
            polygons = self._write(scene, strips, count)
        positive = is_data = 0
        for strip in strips.read(count):
            positive += int(np.count_nonzero(strip[0] == 1))
            is_data += int(np.count_nonzero(strip[0] != NO_DATA))
        share = 100 * positive / is_data if is_data else None
        return {"positive_percent": share, "polygons": polygons, "levels": LEVELS}

    def _write(self, scene: Scene, strips: Strips, count: int) -> int | None:
        """Makes the files of a raster from its strips; gives the number of polygons."""
        model, settings = self._model, self._settings
        protocol = model.spec.context.protocol
        label = protocol.task.positive_class
        targets = (self._mask, self._probability)
        write_maps(scene, strips.read(count), self._partial, targets, label)
        polygons = None
        if settings.polygons:
            polygons = write_polygons(
                scene,
                strips.read(count),
                self._partial,
                self._polygons,
                label,
                settings.min_area,
                settings.simplify_px,
            )
        look = quick_look(scene, protocol.data, model.ranges, self._mask, _QUICK_LOOK_PX)
        self._put(self._look, look)
        return polygons


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """One line for what GDAL says where it cannot write; the system's own errors name the file.

    Raises:
        StoreError: If GDAL cannot write.
    """
    import rasterio.errors

    try:
        yield
    except rasterio.errors.RasterioError as error:
        why = " ".join(str(error.__cause__ or error).split())
        raise StoreError(
            f"the maps of {shown(path)} cannot be written ({why})",
            "check space and permissions; the same command continues",
        ) from error
