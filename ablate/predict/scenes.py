"""Maps of scenes: what is checked before anything starts, and what is made of each.

For a raster ``NAME.tif``: ``NAME-mask.tif``, ``NAME-probability.tif``, ``NAME.gpkg`` and the
quick look ``NAME.png``; for a photograph ``NAME-mask.png``, ``NAME-probability.png`` and
``NAME.png``. ``NAME.json``, published last, says what they were made from: where it is there, the
scene is done.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ablate.data.pairs import some
from ablate.data.reading import opened as opened_photograph
from ablate.errors import BadInput, DataError, RunFailed, StoreError
from ablate.predict.ground import ground_notes
from ablate.predict.maps import as_png, outlined, quick_look, write_maps
from ablate.predict.polygons import check_packages, write_polygons
from ablate.predict.pool import Copy, ModelPool
from ablate.predict.scene import PHOTOGRAPHS, Scene, expand_inputs, inspect, rasterio_or_refuse
from ablate.predict.strips import LEVELS, NO_DATA, Strips, predict_strips
from ablate.predict.trained import TrainedModel
from ablate.runs import atomic, locks, shown
from ablate.runs.disk import size_text
from ablate.spec import Data

FORM = 1
"""Raised by one whenever the same inputs give other maps."""

_QUICK_LOOK_PX = 1024
_LOCK = ".ablate.lock"
# Strips, uncompressed, and the maps twice while they are rewritten, which compression makes less.
_BYTES_PER_PIXEL = 4

Advance = Callable[[int, int, int], None]
"""Is told the number of a scene, how many of its windows are done, and of how many."""


@dataclass(frozen=True)
class MapSettings:
    """How maps are made.

    Attributes:
        resolution_m: The ground resolution that rasters are resampled to, in metres, or
            ``training``: that of the training images at the model's size; None: their own.
        overlap_percent: How much neighbouring windows share, of a window's side.
        polygons: Whether rasters get polygons.
        min_area: The smallest polygon: in m², or in pixels where these have no size in metres.
        simplify_px: How far an outline may move, in pixels.
    """

    resolution_m: float | Literal["training"] | None = None
    overlap_percent: int = 25
    polygons: bool = True
    min_area: float = 0.0
    simplify_px: float = 1.0

    def for_training_at(self, ground_m: float | None) -> "MapSettings":
        """The same, with metres in place of ``training``.

        Args:
            ground_m: The ground resolution of the training images at the model's size; None: it is
                not known.

        Raises:
            BadInput: If it is needed and not known.
        """
        if self.resolution_m != "training":
            return self
        if ground_m is None:
            raise BadInput(
                "the ground resolution of the training images is not known, so that rasters cannot "
                "be resampled to it",
                "give metres, such as --resolution 0.8",
            )
        return replace(self, resolution_m=ground_m)

    @property
    def grid_m(self) -> float | None:
        """Metres that a pixel of the maps is wide; None: as wide as one of the raster."""
        assert self.resolution_m != "training"
        return self.resolution_m

    def check(self) -> None:
        """Refuses what makes no map.

        Raises:
            BadInput: If a value is out of range.
        """
        if self.grid_m is not None and not 0 < self.grid_m < 1e6:
            raise BadInput(
                f"a ground resolution of {self.grid_m:g} m is out of range",
                "give metres, such as 0.8",
            )
        if not 0 <= self.overlap_percent <= 45:
            raise BadInput(
                f"an overlap of {self.overlap_percent} percent is out of range", "give 0 to 45"
            )
        for name, value in (("area", self.min_area), ("tolerance", self.simplify_px)):
            if not 0 <= value < 1e12:
                raise BadInput(f"the {name} {value:g} is out of range", "give 0 or more")


@dataclass(frozen=True)
class ScenePlan:
    """What is to be done, checked.

    Attributes:
        items: Rasters, and the paths of photographs, in order.
        notes: What the user should know.
    """

    items: tuple[Scene | Path, ...]
    notes: tuple[str, ...]

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        return [item if isinstance(item, Path) else item.path for item in self.items]


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


def plan_scenes(
    paths: Sequence[Path],
    data: Data,
    out: Path,
    settings: MapSettings,
    ground_m: float | None = None,
) -> ScenePlan:
    """Looks at every input before anything is computed.

    Args:
        paths: Files, and folders of files.
        data: What the model was trained on.
        out: The folder of the maps.
        settings: How they are made.
        ground_m: Metres that a pixel of the model's square was wide in training; None: not known.

    Raises:
        BadInput: If an input is missing, or a value or the folder cannot be used.
        DataError: If an input is broken or not of the training images' kind.
        StoreError: If the disk is too full.
    """
    settings.check()
    files = expand_inputs(paths)
    if out.exists() and not out.is_dir():
        raise BadInput(f"{shown(out)} is a file", "name a folder")
    rasters = [path for path in files if path.suffix.lower() not in PHOTOGRAPHS]
    if rasters:
        rasterio_or_refuse()
        if settings.polygons:
            check_packages()
    items: list[Scene | Path] = []
    needed = 0
    for path in files:
        if path.suffix.lower() in PHOTOGRAPHS:
            with opened_photograph(path):
                items.append(path)
            continue
        scene = inspect(path, data, settings.grid_m)
        needed += scene.pixels * _BYTES_PER_PIXEL
        items.append(scene)
    notes = []
    if plain := [shown(i.path) for i in items if isinstance(i, Scene) and i.crs is None]:
        what = "has no coordinate system, and its maps have none"
        if len(plain) > 1:
            what = f"have no coordinate system, and their maps have none: {len(plain):,} rasters"
        notes.append(f"{some(plain)} {what}")
    notes += ground_notes([item for item in items if isinstance(item, Scene)], ground_m)
    # Where it will be made.
    folder = next(each for each in (out.absolute(), *out.absolute().parents) if each.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the maps need up to {size_text(needed)} in {shown(out)}, {size_text(free)} are free",
            "free space, name another folder, or give fewer scenes",
        )
    return ScenePlan(tuple(items), tuple(notes))


def predict_scenes(
    models: Sequence[TrainedModel],
    plan: ScenePlan,
    out: Path,
    settings: MapSettings,
    advance: Advance,
    *,
    more_copies: Sequence[Sequence[TrainedModel]] = (),
    say: Callable[[str], None] = lambda line: None,
) -> list[SceneOutcome]:
    """Makes the maps of every scene; those that an earlier start has made are left alone.

    Several devices share the windows of a raster, and photographs one by one.

    Args:
        models: One, or several whose mean is taken.
        plan: The scenes.
        out: The folder of the maps.
        settings: How they are made.
        advance: Is told how far it is.
        more_copies: The same models on other devices.
        say: Is told in a line what the user should know meanwhile, from any thread.

    Returns:
        One for each scene, in order; one that cannot be read to its end, or during which a device
        fails, does not stop the others.

    Raises:
        BadInput: If the folder holds maps of other models or settings, or files of others under
            the names of the maps; nothing was started.
        StoreError: If another process makes maps there.
    """
    atomic.make_folder(out)
    jobs = [_Job(models, item, out, settings) for item in plan.items]
    for job in jobs:
        job.check_names()
    with locks.held(out / _LOCK, 0) as is_free:
        if not is_free:
            raise StoreError(
                f"another process makes maps in {shown(out)}", "wait for it, or name another folder"
            )
        outcomes: dict[int, SceneOutcome] = {}
        with ModelPool([models, *more_copies], say) as pool:
            photographs = [number for number, job in enumerate(jobs) if job.is_photograph]
            done = pool.map(_photograph, [jobs[number] for number in photographs])
            for number, outcome in zip(photographs, done, strict=True):
                outcomes[number] = outcome
                advance(number, 1, 1)
            for number, job in enumerate(jobs):
                if not job.is_photograph:
                    outcomes[number] = job.outcome(
                        partial(job.raster, pool, partial(advance, number))
                    )
        return [outcomes[number] for number in range(len(jobs))]


def _photograph(copy: Copy, job: "_Job") -> SceneOutcome:
    return job.outcome(partial(job.photograph, copy))


class _Job:
    """One scene, and the files that are made of it."""

    def __init__(
        self, models: Sequence[TrainedModel], item: Scene | Path, out: Path, settings: MapSettings
    ) -> None:
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
        atomic.replace(self._done, f"{content}\n".encode())
        shutil.rmtree(self._partial, ignore_errors=True)
        return self._outcome(found, was_done=False)

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
        atomic.replace(self._mask, as_png(mask.astype(np.uint8) * 255))
        atomic.replace(self._probability, as_png(levels))
        atomic.replace(self._look, outlined(image, mask))
        return {"positive_percent": 100 * float(mask.mean()), "polygons": None}

    def raster(self, pool: ModelPool, advance: Callable[[int, int], None]) -> dict[str, Any]:
        """Makes the maps of a raster.

        Raises:
            DataError: If it cannot be read.
            RunFailed: If a device fails, or has too little memory.
        """
        scene = self._item
        assert isinstance(scene, Scene)
        model, settings = self._model, self._settings
        protocol = model.spec.context.protocol
        strips = Strips(self._partial, self._strips_job)
        overlap = model.size_px * settings.overlap_percent // 100
        count = predict_strips(model, pool, scene, strips, overlap, advance)
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
        atomic.replace(self._look, look)
        positive = is_data = 0
        for strip in strips.read(count):
            positive += int(np.count_nonzero(strip[0] == 1))
            is_data += int(np.count_nonzero(strip[0] != NO_DATA))
        share = 100 * positive / is_data if is_data else None
        return {"positive_percent": share, "polygons": polygons, "levels": LEVELS}
