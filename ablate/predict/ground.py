"""Which ground resolution a model was trained at, and which rasters have another."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Protocol as Interface
from typing import runtime_checkable

from ablate.data import open_images
from ablate.data.pairs import some
from ablate.data.rasters import is_tiff, tiff_header
from ablate.data.reading import opened as opened_photograph
from ablate.errors import AblateError
from ablate.predict.scene import Scene, ground_of, opened
from ablate.runs import Store, shown
from ablate.spec import BijieData, CocoData, Data, FoldersData, Landslide4SenseData, RunSpec

# Bijie's images are of TripleSat (Ji et al. 2020, Landslides 17:1337-1352); all bands of
# Landslide4Sense are at Sentinel-2's 10 m (Ghorbanzadeh et al. 2022, IEEE TGRS 60:5633017).
_BIJIE_M = 0.8
_LANDSLIDE4SENSE_M, _LANDSLIDE4SENSE_PX = 10.0, 128
# So many of the images are looked at, evenly over the data set.
_MOST_IMAGES = 200
_TOLERANCE = 1.25
"""Objects that are a quarter larger or smaller are within what training images differ by."""


@runtime_checkable
class ImageFiles(Interface):
    """Data sets whose images are files of their own."""

    names: tuple[str, ...]

    def image_path(self, index: int) -> Path:
        """The file of an image."""
        ...


def training_ground(spec: RunSpec, store: Store) -> float | None:
    """Metres that a pixel of the model's square was wide in training, the median over images.

    Training resizes whole images to the square, which changes the resolution that they came with:
    that is what the data declare, or else what GeoTIFF files say of themselves.

    Args:
        spec: The run.
        store: Knows where its images lie.

    Returns:
        None where it is not known: nothing declares it, or the images are not there any more.
    """
    protocol = spec.context.protocol
    try:
        root = store.source(spec.context.data.digest)
        return ground_of_data(protocol.data, root, protocol.image_size_px, store.digests_path)
    except (AblateError, OSError):
        return None


def ground_of_data(
    data: Data, root: Path, side_px: int, digests: Path | None = None
) -> float | None:
    """The same of a data set.

    Args:
        data: Which one.
        root: Its folder.
        side_px: Side of the square that its images are resized to.
        digests: Where digests of files are remembered.

    Raises:
        DataError: If the folder is missing or not laid out as ``data`` says.
    """
    if isinstance(data, Landslide4SenseData):
        return _LANDSLIDE4SENSE_M * _LANDSLIDE4SENSE_PX / side_px
    declared = None
    if isinstance(data, BijieData):
        declared = _BIJIE_M
    elif isinstance(data, FoldersData | CocoData):
        declared = data.ground_resolution_m
    else:
        return None
    images = open_images(data, root, digests)
    if not isinstance(images, ImageFiles):
        return None
    step = math.ceil(len(images.names) / _MOST_IMAGES)
    paths = [images.image_path(index) for index in range(0, len(images.names), step)]
    found = [_ground_of_file(path, declared) for path in paths]
    known = [value / side_px for value in found if value is not None]
    return median(known) if known else None


def ground_notes(scenes: Sequence[Scene], trained_m: float | None) -> list[str]:
    """What the user should know of the ground resolution of rasters, in at most one line.

    Args:
        scenes: The rasters, on the grids that their maps are made on.
        trained_m: That of training; None: it is not known.
    """
    known = [(each, math.sqrt(math.prod(each.ground_m))) for each in scenes if each.ground_m]
    if not known:
        return []
    if trained_m is None:
        return [
            "the ground resolution of the training images is not known, so that of the rasters is "
            "not compared with it; --resolution METRES resamples them"
        ]
    others = [
        (each, own) for each, own in known if max(own / trained_m, trained_m / own) > _TOLERANCE
    ]
    if not others:
        return []
    first = others[0][1]
    names = some([shown(each.path.name) for each, _ in others])
    return [
        f"a pixel of {names} is {first:.3g} m wide, and was {trained_m:.3g} m in training; "
        f"--resolution {trained_m:.3g} resamples to that"
        if len(others) == 1
        else f"pixels of {len(others):,} rasters ({names}) are of another width, such as "
        f"{first:.3g} m, than the {trained_m:.3g} m of training; "
        f"--resolution {trained_m:.3g} resamples to that"
    ]


def _ground_of_file(path: Path, declared: float | None) -> float | None:
    """Metres that an image is wide and high, as the root of their product; None: not known."""
    if declared is not None:
        if is_tiff(path):
            header = tiff_header(path)
            return declared * math.sqrt(header.width * header.height)
        with opened_photograph(path) as image:
            return declared * math.sqrt(image.width * image.height)
    if not is_tiff(path):
        return None
    with opened(path) as file:
        ground = ground_of(file)
        if ground is None:
            return None
        return math.sqrt(file.width * ground[0] * file.height * ground[1])
