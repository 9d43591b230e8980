"""Landslide4Sense, as its authors published it and in the layout of its mirrors."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.images import Image, Images, Mask
from ablate.data.pairs import by_stem, check_folder, check_pairs, content
from ablate.errors import DataError
from ablate.runs import FileDigests
from ablate.spec import Landslide4SenseData, digest_of

_SIDE_PX = 128
_CHANNELS = 14
# What is read of each file: the array's name, its shape and the kinds of its numbers.
_IMAGE = ("img", (_SIDE_PX, _SIDE_PX, _CHANNELS), "fiu")
_MASK = ("mask", (_SIDE_PX, _SIDE_PX), "fiub")

# The paper's released code (JunchuanYu/TransLandSeg on GitHub, loader.py) shows value / 10 · 255.
_AUTHORS_SCALE = 25.5

# What mirrors call the parts, in images/ and annotations/.
_MIRRORED = {"TrainData": "train", "ValidData": "validation", "TestData": "test"}
_FOLDERS = (("img", "mask"), ("images", "annotations"))


class Landslide4SenseImages:
    """Files ``image_N.h5`` in one folder, ``mask_N.h5`` in another.

    The files are sorted by name as text (1, 10, 100, 1000, 1001, …), as the paper's released
    code sorts them: the split counts positions in that order.

    Args:
        data: Which channels are shown, and how bright.
        images: Folder of the images.
        masks: Folder of the masks.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        DataError: If a folder is empty or holds HDF5 files of other names, or if images and
            masks do not pair up.

    Attributes:
        data: As given.
    """

    label = "Landslide4Sense"

    def __init__(
        self, data: Landslide4SenseData, images: Path, masks: Path, digests: Path | None
    ) -> None:
        """Lists the files; opens none."""
        self.data = data
        self._digests_path = digests
        self._digest: str | None = None
        self._images = _by_number(images, "image_")
        self._masks = _by_number(masks, "mask_")
        self._numbers = tuple(self._images)
        self.names = tuple(f"image_{number}" for number in self._numbers)
        check_pairs(
            images,
            self._images,
            masks,
            self._masks,
            "image_N.h5 and mask_N.h5 belong together: add what is missing or remove the odd ones",
        )

    def load(self, index: int) -> tuple[Image, Mask]:
        """The image with shape 128x128x3 (RGB) and the mask with shape 128x128.

        Raises:
            DataError: If a file is broken, if it declares anything but the data set's arrays, or
                if values are not finite or a mask's values not 0 or 1.
        """
        from ablate.data.hdf5 import read_array

        mask = self._masks[self._numbers[index]]
        # Truncated, not rounded, as in the released code; there, values beyond the range wrap
        # around to black, a slip that is not repeated here.
        rgb: Image = np.clip(self.values(index) * self.data.scale, 0, 255).astype(np.uint8)
        return rgb, _landslide(mask, read_array(mask, *_MASK))

    def check_header(self, index: int) -> None:
        """Refuses what the two files declare, and reads no value.

        Raises:
            DataError: As ``load`` does, as far as the declarations tell.
        """
        from ablate.data.hdf5 import check_array

        number = self._numbers[index]
        check_array(self._images[number], *_IMAGE)
        check_array(self._masks[number], *_MASK)

    def is_hashed(self) -> bool:
        """Whether ``digest`` needs to read no file again."""
        known = FileDigests(self._digests_path)
        return all(known.knows(each) for each in (*self._images.values(), *self._masks.values()))

    def clipped(self, index: int) -> tuple[int, int]:
        """How many shown values of an image the scale puts beyond 0..255, and how many there are.

        Raises:
            DataError: As ``values``.
        """
        scaled = self.values(index) * self.data.scale
        return int(np.count_nonzero((scaled < 0) | (scaled >= 256))), scaled.size

    def values(self, index: int) -> npt.NDArray[np.float64]:
        """The channels that are shown, with shape 128x128x3, before they are scaled.

        Raises:
            DataError: If the file is broken, if it declares anything but the data set's array,
                or if values are not finite.
        """
        from ablate.data.hdf5 import read_array

        path = self._images[self._numbers[index]]
        values = read_array(path, *_IMAGE)
        shown = values[..., list(self.data.channels)].astype(np.float64)
        if not np.isfinite(shown).all():
            raise DataError(
                f"'img' in {path} holds NaN or infinite values in the channels "
                f"{', '.join(map(str, self.data.channels))}",
                "replace the file",
            )
        return shown

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over names, contents, channels and scale.

        Raises:
            BadInput: If a file cannot be read.
        """
        if self._digest is None:
            reading = self.data.model_dump(mode="json", include={"kind", "channels", "scale"})
            files = content(self._images, self._masks, self._digests_path)
            self._digest = digest_of(reading | {"files": files})
        return self._digest


def is_landslide4sense(root: Path) -> bool:
    """Whether ``root`` is laid out like Landslide4Sense, or like one of its parts."""
    return any(_find(root, part) is not None for part in _MIRRORED) or _is_part(root)


def default() -> Landslide4SenseData:
    """The data set as the paper's released code reads it."""
    return Landslide4SenseData(kind="landslide4sense", scale=_AUTHORS_SCALE)


def open_landslide4sense(data: Landslide4SenseData, root: Path, digests: Path | None) -> Images:
    """Opens one part of the data set below ``root``.

    It lies in ``PART/img`` and ``PART/mask``, or as mirrors have it in ``PART/images`` and
    ``PART/annotations`` or in ``images/train`` and ``annotations/train`` (validation, test).

    Raises:
        DataError: If ``root`` is not laid out so, or if images and masks do not pair up.
    """
    check_folder(root)
    found = _find(root, data.part)
    if found is None:
        mirrored = _MIRRORED[data.part]
        raise DataError(
            f"{root} is not the {data.part} of Landslide4Sense: it has neither {data.part}/img "
            f"with {data.part}/mask nor images/{mirrored} with annotations/{mirrored}",
            f"give the folder above it, {root.absolute().parent}"
            if _is_part(root)
            else f"give the folder that holds {data.part}/",
        )
    return Landslide4SenseImages(data, *found, digests)


def _find(root: Path, part: str) -> tuple[Path, Path] | None:
    """The folders of a part's images and masks; None: there are none."""
    below = [(root / part / images, root / part / masks) for images, masks in _FOLDERS]
    beside = (root / "images" / _MIRRORED[part], root / "annotations" / _MIRRORED[part])
    for images, masks in (*below, beside):
        if images.is_dir() and masks.is_dir():
            return images, masks
    return None


def _is_part(root: Path) -> bool:
    """Whether the files lie right below ``root``; the folders' names alone are too common."""
    return any(
        (root / masks).is_dir() and any((root / images).glob("[!.]*.h5"))
        for images, masks in _FOLDERS
    )


def _by_number(folder: Path, prefix: str) -> dict[str, Path]:
    """The HDF5 files by what follows ``prefix`` in their names, sorted as whole names."""
    files = by_stem(folder, {".h5"})
    for stem, path in files.items():
        if not stem.startswith(prefix):
            raise DataError(f"{path} is not called {prefix}N.h5", "rename or remove it")
    return {stem.removeprefix(prefix): path for stem, path in files.items()}


def _landslide(path: Path, labels: npt.NDArray[Any]) -> Mask:
    odd = labels[~np.isin(labels, (0, 1))]
    if odd.size:
        raise DataError(f"'mask' in {path} holds {odd[0]}, not only 0 and 1", "replace the file")
    mask: Mask = labels == 1
    return mask
