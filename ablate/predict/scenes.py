"""Maps of scenes: what is checked before anything starts, and how the scenes are gone through."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ablate.data.pairs import some
from ablate.data.reading import check_image_header
from ablate.data.reading import opened as opened_photograph
from ablate.errors import BadInput, StoreError
from ablate.predict.ground import ground_notes
from ablate.predict.map_settings import MapSettings
from ablate.predict.polygons import check_packages
from ablate.predict.pool import Copy, ModelPool
from ablate.predict.scene import PHOTOGRAPHS, Scene, expand_inputs, inspect, rasterio_or_refuse
from ablate.predict.scene_job import SceneJob, SceneOutcome
from ablate.predict.strips import check_memory
from ablate.predict.trained import TrainedModel, is_declared
from ablate.runs import atomic, locks, shown
from ablate.runs.disk import size_text
from ablate.runs.names import unwritable
from ablate.spec import Data

_LOCK = ".ablate.lock"
# Strips, uncompressed, and the maps twice while they are rewritten, which compression makes less.
_BYTES_PER_PIXEL = 4

Advance = Callable[[int, int, int], None]
"""Is told the number of a scene, how many of its windows are done, and of how many."""


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
    files = expand_inputs(paths, out)
    if out.exists() and not out.is_dir():
        raise BadInput(f"{shown(out)} is a file", "name a folder")
    rasters = [path for path in files if path.suffix.lower() not in PHOTOGRAPHS]
    if rasters:
        for path in (*rasters, out):
            # GDAL takes names as UTF-8, and SQLite as lines.
            if (why := unwritable(path.absolute())) is not None:
                raise BadInput(f"the name of {shown(path)} {why}", "rename it")
        rasterio_or_refuse()
        if settings.polygons:
            check_packages()
    items: list[Scene | Path] = []
    needed = 0
    for path in files:
        if path.suffix.lower() in PHOTOGRAPHS:
            if is_declared(data):
                with opened_photograph(path):
                    pass
            else:
                check_image_header(path)
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
    if not folder.is_dir():
        raise BadInput(f"{shown(folder)} is a file", "name a folder")
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
        advance: Is told how far it is, of one scene after the other.
        more_copies: The same models on other devices.
        say: Is told in a line what the user should know meanwhile, from any thread.

    Returns:
        One for each scene, in order; one that cannot be read to its end, or during which a device
        fails, does not stop the others.

    Raises:
        BadInput: If the folder holds maps of other models or settings, or files of others under
            the names of the maps; nothing was started.
        StoreError: If another process makes maps there, or they cannot be written.
    """
    for item in plan.items:
        if isinstance(item, Scene):
            check_memory(item, models[0].size_px, len(models))
    atomic.make_folder(out)
    jobs = [SceneJob(models, item, out, settings) for item in plan.items]
    for job in jobs:
        job.check_names()
    with locks.held(out / _LOCK, 0, leaves_file=False) as is_free:
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


def _photograph(copy: Copy, job: SceneJob) -> SceneOutcome:
    return job.outcome(partial(job.photograph, copy))
