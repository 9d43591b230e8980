"""Images with outlines in a JSON file, as in COCO's instances."""

import json
import os
import re
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
from ablate.data.reader import ImageReader
from ablate.data.scaled_images import ScaledImages
from ablate.errors import DataError
from ablate.runs import FileDigests
from ablate.spec import CocoData, digest_of

_MAX_SIDE_PX = 100_000
# Five bits a letter, the highest of which says that the number goes on.
_COMPRESSED_NUMBER = re.compile("[P-o]{0,6}[0-O]")
# The annotations of COCO itself have half of it.
_MOST_BYTES = 1 << 30
_REPAIR = "correct the file, or export it again as COCO instances"


@dataclass
class _Outlined:
    """An image of a JSON file, with what is outlined in it."""

    path: Path
    json: Path
    height: int
    width: int
    segmentations: list[Any] = field(default_factory=list)


class CocoImages(ScaledImages):
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
        label = root.absolute().name
        super().__init__(label, ImageReader(label, data))
        self._data = data
        self._digests_path = digests
        self._jsons, self._images = _read_parts(data, root)
        self.names = tuple(self._images)

    def load(self, index: int) -> tuple[Image, Mask]:
        """The image with shape HxWx3 (RGB) and the mask with shape HxW (True: positive).

        Raises:
            DataError: If the image is broken, or not of the size that the file says.
        """
        outlined = self._images[self.names[index]]
        image = self._reader.read(outlined.path)
        _check_size(outlined, image.shape)
        return image, _drawn(outlined)

    def check(self, index: int) -> None:
        """Reads a pair as ``load`` does, except that it needs no percentiles.

        Raises:
            DataError: As ``load`` does.
        """
        outlined = self._images[self.names[index]]
        _check_size(outlined, self._reader.size(outlined.path))
        _drawn(outlined)

    def image_path(self, index: int) -> Path:
        """The file of an image."""
        return self._images[self.names[index]].path

    def check_header(self, index: int) -> None:
        """Refuses what an image's header alone tells, and decodes no pixel.

        Raises:
            DataError: As ``load`` does, as far as the header tells.
        """
        outlined = self._images[self.names[index]]
        size = self._reader.header_size(outlined.path)
        # An EXIF orientation, which may stand behind the pixels, exchanges the sides.
        if sorted(size) != sorted((outlined.height, outlined.width)):
            _check_size(outlined, size)

    def is_hashed(self) -> bool:
        """Whether ``digest`` needs to read no image again."""
        known = FileDigests(self._digests_path)
        return all(known.knows(each.path) for each in self._images.values())

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over images and JSON files and how both are read.

        Raises:
            BadInput: If a file cannot be read.
        """
        if self._digest is None:
            known = FileDigests(self._digests_path)
            jsons = {part: known.of(path) for part, path in self._jsons.items()}
            self._digest = digest_of(
                {
                    "kind": self._data.kind,
                    "categories": sorted(self._data.categories),
                    "annotations": jsons if self._data.folders else jsons[""],
                    "files": [[name, known.of(each.path)] for name, each in self._images.items()],
                }
                | self._reader.identity()
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


def _check_size(outlined: _Outlined, shape: tuple[int, ...]) -> None:
    """Refuses an image of another size than its JSON file says."""
    height, width = outlined.height, outlined.width
    if shape[:2] != (height, width):
        raise DataError(
            f"{outlined.path} has {shape[1]}×{shape[0]} pixels, {outlined.json} says "
            f"{width}×{height}",
            _REPAIR,
        )


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


def _read_parts(data: CocoData, root: Path) -> tuple[dict[str, Path], dict[str, _Outlined]]:
    """The JSON files by part, and the images of all parts by name; without parts, it is ``""``."""
    jsons: dict[str, Path] = {}
    images: dict[str, _Outlined] = {}
    parts: dict[Path, str] = {}
    for part in data.folders or ("",):
        path, folder = (
            below(root, text.replace("{folder}", part)) for text in (data.annotations, data.images)
        )
        jsons[part] = path
        for name, outlined in _read(path, folder, data.categories).items():
            if (other := parts.setdefault(outlined.path, part)) != part:
                raise DataError(
                    f"{outlined.path} is in both {jsons[other]} and {path}", "leave it in one file"
                )
            images[f"{part}/{name}" if part else name] = outlined
    return jsons, images


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
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise DataError(f"{path} has {size:,} bytes", f"divide it: {_MOST_BYTES:,} are read")
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
    return name.with_suffix("").as_posix(), _Outlined(below(folder, file), path, height, width)


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
    if isinstance(counts, str):
        counts = _decompressed(where, counts)
    if not isinstance(counts, list):
        raise DataError(f"{where} has run lengths that are neither numbers nor a text", _REPAIR)
    pixels = image.height * image.width
    if not all(type(each) is int and 0 <= each <= pixels for each in counts) or (
        sum(counts) != pixels
    ):
        raise DataError(f"{where} has run lengths of other than {pixels} pixels", _REPAIR)
    return {"size": size, "counts": counts}


def _decompressed(where: str, text: str) -> list[int]:
    """Run lengths out of COCO's compressed form.

    pycocotools would draw beyond the end of lengths that add up to fewer pixels than the image has,
    hence they are numbers before it sees them. From the fourth on, a number is the difference from
    the length before the last (``rleFrString`` in its ``maskApi.c``).
    """
    numbers = _COMPRESSED_NUMBER.findall(text)
    if sum(map(len, numbers)) != len(text):
        raise DataError(f"{where} has compressed run lengths that cannot be read", _REPAIR)
    lengths: list[int] = []
    for number in numbers:
        value = 0
        for place, letter in enumerate(number):
            value |= (ord(letter) - ord("0") & 0x1F) << 5 * place
        if ord(number[-1]) - ord("0") & 0x10:
            value -= 1 << 5 * len(number)
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    return lengths


def _check_polygon(where: str, polygon: Any, image: _Outlined) -> None:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise DataError(f"{where} has a polygon that is not three corners or more", _REPAIR)
    for coordinates, side in ((polygon[::2], image.width), (polygon[1::2], image.height)):
        for value in coordinates:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # A far corner is a slip, and drawing the way to it takes memory.
            if not is_number or not -side <= value <= 2 * side:
                raise DataError(f"{where} has a corner at {value}, outside the image", _REPAIR)
