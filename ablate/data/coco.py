"""Images with outlines in a JSON file, as in COCO's instances."""

import json
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ablate.data.fetched import check_file, check_name
from ablate.data.folders import below
from ablate.data.images import Image, Images, Mask
from ablate.data.pairs import check_folder, some
from ablate.data.reading import read_image
from ablate.errors import DataError
from ablate.runs import FileDigests
from ablate.spec import CocoData, digest_of

_MAX_SIDE_PX = 100_000
_REPAIR = "correct the file, or export it again as COCO instances"


@dataclass
class _Outlined:
    """An image of the file, with what is outlined in it."""

    path: Path
    height: int
    width: int
    segmentations: list[Any] = field(default_factory=list)


class CocoImages:
    """The images that a COCO file names; positive is what any annotation outlines.

    Args:
        data: Which file, and which of its categories are positive.
        root: The data set's folder.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        DataError: If the file is missing, is no COCO file, outlines what cannot be drawn, or names
            an image that does not exist.
    """

    def __init__(self, data: CocoData, root: Path, digests: Path | None) -> None:
        """Reads the JSON file; opens no image."""
        self.label = root.absolute().name
        self._data = data
        self._digests_path = digests
        self._digest: str | None = None
        self._json = below(root, data.annotations)
        self._images = _read(self._json, below(root, data.images), data.categories)
        self.names = tuple(self._images)

    def load(self, index: int) -> tuple[Image, Mask]:
        """The image with shape HxWx3 (RGB) and the mask with shape HxW (True: positive).

        Raises:
            DataError: If the image is broken, or not of the size that the file says.
        """
        outlined = self._images[self.names[index]]
        image = read_image(outlined.path)
        height, width = outlined.height, outlined.width
        if image.shape[:2] != (height, width):
            raise DataError(
                f"{outlined.path} has {image.shape[1]}×{image.shape[0]} pixels, {self._json} says "
                f"{width}×{height}",
                _REPAIR,
            )
        return image, _drawn(outlined)

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over the images, the JSON file and the categories.

        Raises:
            BadInput: If a file cannot be read.
        """
        if self._digest is None:
            known = FileDigests(self._digests_path)
            self._digest = digest_of(
                {
                    "kind": self._data.kind,
                    "categories": sorted(self._data.categories),
                    "annotations": known.of(self._json),
                    "files": [[name, known.of(each.path)] for name, each in self._images.items()],
                }
            )
            known.save()
        return self._digest


def open_coco(data: CocoData, root: Path, digests: Path | None) -> Images:
    """Opens the images and the JSON file that ``data`` names below ``root``.

    Raises:
        DataError: If they are not there, or not what COCO's instances are.
    """
    check_folder(root)
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as error:
        raise DataError(
            "outlines of COCO are drawn by pycocotools, which is not installed",
            "pip install 'ablate[coco]'",
        ) from error
    return CocoImages(data, root, digests)


def _drawn(outlined: _Outlined) -> Mask:
    """All outlines of an image, filled as COCO's own code fills them."""
    from pycocotools import mask as rasters

    height, width = outlined.height, outlined.width
    mask: Mask = np.zeros((height, width), np.bool_)
    # It makes arrays in a way that NumPy 2 warns about.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for segmentation in outlined.segmentations:
            lengths = rasters.frPyObjects(segmentation, height, width)
            for each in lengths if isinstance(lengths, list) else [lengths]:
                mask |= rasters.decode(each).astype(np.bool_)
    return mask


def _read(path: Path, folder: Path, categories: Iterable[str]) -> dict[str, _Outlined]:
    """The images by name, sorted by their files' names."""
    content = _content(path)
    check_folder(folder)
    positive = _positive(path, content["categories"], categories)
    by_id: dict[Any, _Outlined] = {}
    by_name: dict[str, _Outlined] = {}
    images = [_entry(path, "images", each, ("id", "file_name")) for each in content["images"]]
    for entry in sorted(images, key=lambda each: str(each["file_name"])):
        name, outlined = _image(path, folder, entry)
        if entry["id"] in by_id or name in by_name:
            raise DataError(f"{path} has two images {entry['id']} or {name}", _REPAIR)
        by_id[entry["id"]] = by_name[name] = outlined
    if not by_name:
        raise DataError(f"{path} names no images", _REPAIR)
    if missing := [each.path.name for each in by_name.values() if not os.path.lexists(each.path)]:
        raise DataError(
            f"{len(missing)} of {len(by_name)} images of {path} are not in {folder} "
            f"({some(missing)})",
            "correct data.images in the protocol, or put them there",
        )
    for each in by_name.values():
        check_file(each.path)
    for number, each in enumerate(content["annotations"]):
        entry = _entry(path, "annotations", each, ("image_id", "category_id"))
        where = f"annotation {entry.get('id', f'number {number + 1}')} in {path}"
        if entry["image_id"] not in by_id:
            raise DataError(f"{where} is of an image {entry['image_id']} that it lacks", _REPAIR)
        if entry["category_id"] not in positive:
            raise DataError(
                f"{where} is of a category {entry['category_id']} that it lacks", _REPAIR
            )
        if positive[entry["category_id"]]:
            outlined = by_id[entry["image_id"]]
            outlined.segmentations.append(_segmentation(where, entry, outlined))
    return by_name


def _content(path: Path) -> dict[str, list[Any]]:
    if not path.is_file():
        raise DataError(f"there is no file {path}", "correct data.annotations in the protocol")
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})", "replace it") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path} has no list of {key}", _REPAIR)
    return dict(content)


def _entry(path: Path, what: str, entry: Any, keys: Iterable[str]) -> dict[str, Any]:
    """An entry of a list that has what it must have, each a name or a number."""
    for key in keys:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str | int):
            raise DataError(f"{path} has an entry of {what} without {key}", _REPAIR)
    return dict(entry)


def _positive(path: Path, entries: list[Any], chosen: Iterable[str]) -> dict[Any, bool]:
    """Whether a category is positive, by its number."""
    named = [_entry(path, "categories", each, ("id", "name")) for each in entries]
    names = [str(each["name"]) for each in named]
    if unknown := [name for name in chosen if name not in names]:
        raise DataError(
            f"{path} has no category {some(unknown)}, but {some(names) or 'none'}",
            "correct data.categories in the protocol",
        )
    wanted = set(chosen) or set(names)
    return {each["id"]: str(each["name"]) in wanted for each in named}


def _image(path: Path, folder: Path, entry: dict[str, Any]) -> tuple[str, _Outlined]:
    file = str(entry["file_name"])
    height, width = (_side(entry.get(key)) for key in ("height", "width"))
    if height is None or width is None:
        sides = f"height {entry.get('height')} and width {entry.get('width')}"
        raise DataError(f"image {file} of {path} has {sides}", _REPAIR)
    name = PurePosixPath(file)
    check_name(Path(file))
    if not name.name or "\0" in file:
        raise DataError(f"{path} has an image with the name {file!r}", _REPAIR)
    return name.with_suffix("").as_posix(), _Outlined(below(folder, file), height, width)


def _side(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= _MAX_SIDE_PX else None


def _segmentation(where: str, entry: dict[str, Any], image: _Outlined) -> Any:
    """Polygons or run lengths, as pycocotools takes them: it trusts what it is given."""
    found = entry.get("segmentation")
    if isinstance(found, list) and found:
        for polygon in found:
            _check_polygon(where, polygon, image)
        return found
    if not isinstance(found, dict):
        raise DataError(f"{where} has no outline (segmentation)", _REPAIR)
    counts, size = found.get("counts"), found.get("size")
    if size != [image.height, image.width]:
        raise DataError(f"{where} has run lengths of another size than its image's", _REPAIR)
    if not isinstance(counts, list):
        raise DataError(
            f"{where} has compressed run lengths", "export polygons, or lengths that are numbers"
        )
    pixels = image.height * image.width
    if not all(type(each) is int and 0 <= each <= pixels for each in counts) or (
        sum(counts) != pixels
    ):
        raise DataError(f"{where} has run lengths of other than {pixels} pixels", _REPAIR)
    return found


def _check_polygon(where: str, polygon: Any, image: _Outlined) -> None:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise DataError(f"{where} has a polygon that is not three corners or more", _REPAIR)
    for coordinates, side in ((polygon[::2], image.width), (polygon[1::2], image.height)):
        for value in coordinates:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # A far corner is a slip, and drawing the way to it takes memory.
            if not is_number or not -side <= value <= 2 * side:
                raise DataError(f"{where} has a corner at {value}, outside the image", _REPAIR)
