"""All images of a data set at one size, decoded once and memory-mapped from then on."""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ablate.data.generated_images import GeneratedImages
from ablate.data.images import Image, Images, Mask
from ablate.errors import DataError, StoreError
from ablate.runs import atomic, hosts, locks, plain_files
from ablate.runs.disk import size_text

_BYTES_PER_PIXEL = 4  # three of the image, one of the mask
_FILES = ("images.npy", "masks.npy", "names.json")
_DIGESTS = "sha256.json"
# Images that are kept for each thread, so that none waits for the slowest of a few.
_AHEAD = 4

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A data set at one size; the arrays are read-only memory maps.

    Attributes:
        images: Shape NxSxSx3, RGB.
        masks: Shape NxSxS, 1 for positive, else 0.
        names: One for each image.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    names: tuple[str, ...]


def prepare(
    images: Images, size_px: int, cache: Path, digest_now: Callable[[], str] | None = None
) -> Prepared:
    """Decodes and resizes a data set once into ``cache/DIGEST-SIZEpx/`` and opens it from there.

    Sides become ``size_px`` without keeping the aspect ratio, as in the paper: images by
    antialiased bilinear resampling, masks by the nearest pixel. A kill leaves no half-written
    cache, and of several processes that start at once, one builds it. Every call compares the
    files with the SHA-256 that was noted when they were written, and makes a damaged cache anew.
    That costs seconds: 770 images of 1024² pixels are 3.2 GB, and one core was measured to digest
    0.6 GB in a second.

    Args:
        images: The data set.
        size_px: Side of the square.
        cache: A folder whose content may be deleted at any time.
        digest_now: Reads the digest of the data anew, once a cache was built: images that have
            changed meanwhile must not lie under the digest of the old ones. None: they cannot.

    Raises:
        DataError: If an image or mask is broken, if no pixel at all is positive, or if the images
            have changed while they were read.
        StoreError: If the disk is too full.
    """
    folder = cache / f"{images.digest()}-{size_px}px"
    prepared = _open(folder)
    if prepared is None:
        atomic.make_folder(cache)
        with locks.held(_lock_of(folder)):
            # Another process may have built it while this one waited.
            prepared = _open(folder)
            if prepared is None:
                _remove_leftovers(cache)
                if folder.exists():
                    _logger.warning("the images in %s are damaged, and are made anew", folder)
                    shutil.rmtree(folder, ignore_errors=True)
                _build(images, size_px, folder, digest_now)
                prepared = _open(folder)
    if prepared is None:
        raise StoreError(
            f"the cache {folder} differs from what was just written to it",
            "check the disk, or name another store",
        )
    return prepared


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _remove_leftovers(cache: Path) -> None:
    """Removes what dead processes of this host have half built; who builds holds a lock."""
    for partial in (*cache.glob(f"*.{hosts.tag()}.partial"), *cache.glob("*px.partial")):
        # The latter are of older ablates.
        with locks.held(_lock_of(cache / partial.name.partition(".")[0]), 0) as is_free:
            if is_free:
                shutil.rmtree(partial, ignore_errors=True)


def _build(
    images: Images, size_px: int, folder: Path, digest_now: Callable[[], str] | None
) -> None:
    """Writes a folder beside ``folder`` and renames it; the caller holds the lock."""
    # Of this host's own: locks may end there, and others build the same at the same time.
    partial = folder.with_name(f"{folder.name}.{hosts.tag()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    count = len(images.names)
    _check_space(count * size_px**2 * _BYTES_PER_PIXEL, folder.parent)
    partial.mkdir()
    try:
        _write(images, size_px, partial)
        if digest_now is not None and digest_now() != images.digest():
            raise DataError(
                f"the images of {images.label} have changed while they were read",
                "start again once nothing writes to them",
            )
        (partial / _DIGESTS).write_text(json.dumps(_digests(partial)), encoding="utf-8")
        for name in (*_FILES, _DIGESTS):
            atomic.sync_file(partial / name)
        atomic.sync_folder(partial)
        _rename_unless_built(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _rename_unless_built(partial: Path, folder: Path) -> None:
    try:
        atomic.rename(partial, folder)
    except OSError as error:
        # Another host was faster: its files are compared with their digests next.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _write(images: Images, size_px: int, folder: Path) -> None:
    shape = (len(images.names), size_px, size_px)
    has_positive = False
    # Written, not mapped: on a full disk a write raises, while a memory map kills the process.
    with (folder / "images.npy").open("wb") as pixels, (folder / "masks.npy").open("wb") as labels:
        for file, of in ((pixels, (*shape, 3)), (labels, shape)):
            header = {"descr": "|u1", "fortran_order": False, "shape": of}
            np.lib.format.write_array_header_1_0(file, header)
        for image, mask in _loaded(images, size_px):
            pixels.write(image.tobytes())
            labels.write(mask.tobytes())
            has_positive = has_positive or bool(mask.any())
    if not has_positive:
        raise DataError(
            f"no pixel of the {len(images.names)} masks of {images.label} is positive",
            f"check the masks: positive is above 0 (at {size_px}×{size_px} pixels)",
        )
    (folder / "names.json").write_text(json.dumps(images.names), encoding="utf-8")


def _loaded(images: Images, size_px: int) -> Iterator[tuple[Image, npt.NDArray[np.uint8]]]:
    """Every image and mask at the size, in order.

    Scenes are painted on all processors: NumPy and SciPy compute without the interpreter's lock,
    and the other workers of a sweep wait for the scenes anyway. Files are read one by one, since
    what their readers make of warnings holds for all threads of a process.
    """

    def load(index: int) -> tuple[Image, npt.NDArray[np.uint8]]:
        return _resize(*images.load(index), size_px)

    indices = range(len(images.names))
    if not isinstance(images, GeneratedImages):
        yield from map(load, indices)
        return
    count = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(count) as threads:
        for start in range(0, len(indices), count * _AHEAD):
            yield from threads.map(load, indices[start : start + count * _AHEAD])


def _resize(image: Image, mask: Mask, size_px: int) -> tuple[Image, npt.NDArray[np.uint8]]:
    """The image with shape SxSx3, the mask with shape SxS and values 0 and 1."""
    size = (size_px, size_px)
    return (
        np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BILINEAR)),
        np.asarray(Pillow.fromarray(mask.astype(np.uint8)).resize(size, Pillow.Resampling.NEAREST)),
    )


def _check_space(needed: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the images need {size_text(needed)} in {folder}, {size_text(free)} are free",
            "free space or name another store",
        )


def _open(folder: Path) -> Prepared | None:
    """The cache; None where there is none, or one whose files are not as they were written."""
    try:
        # One of an older version has no digests.
        if json.loads(plain_files.read_bytes(folder / _DIGESTS)) != _digests(folder):
            return None
        images, masks = (np.load(folder / name, mmap_mode="r") for name in _FILES[:2])
        names = tuple(json.loads(plain_files.read_bytes(folder / _FILES[2])))
    except (OSError, ValueError, EOFError, RecursionError):
        return None
    return Prepared(images, masks, names)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a cache."""
    found = {}
    for name in _FILES:
        with plain_files.opened(folder / name) as content:
            found[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return found
