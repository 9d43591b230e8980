"""Images that are the same, or nearly the same, and names that share a source.

The perceptual hash is imagehash's pHash of 256 bits: the signs of the low frequencies of the grey
image at 64×64 pixels. A copy that was compressed to JPEG quality 10, brightened by 30 %, resized
to a quarter, or cut by 2 % at each edge differs from its original in at most 60 bits, and in at
most 48 for 99 % of all copies. Of the 296,065 pairs of the 770 different images of the Bijie data
set, in all eight orientations, the two most alike differ in 72 bits.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ablate.data.images import Image

MAX_DISTANCE_BITS = 48
"""Images whose hashes differ in no more bits are near duplicates."""

_HASH_SIDE = 16
_GREY_SIDE_PX = 64
# Below this standard deviation (of 255) a grey image is flat, and its hash is that of its noise.
_FLAT = 2.0
_ORIENTATIONS: tuple[Pillow.Transpose | None, ...] = (None, *Pillow.Transpose)

# What is before the last number of a name, without the letters and separators that introduce it.
_BEFORE_LAST_NUMBER = re.compile(r"(.*?)[^0-9A-Za-z]*[A-Za-z]*\d+\D*")

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Fingerprint:
    """What an image is compared by.

    Attributes:
        pixels: SHA-256 over the shape and the decoded pixels.
        hashes: Perceptual hashes of the eight orientations, the upright one first, shape 8x4;
            None for a flat image, which has nothing to compare.
    """

    pixels: str
    hashes: Hashes | None


def fingerprint(image: Image) -> Fingerprint:
    """The fingerprint of an image of shape HxWx3."""
    pixels = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
    grey = Pillow.fromarray(image).convert("L")
    grey = grey.resize((_GREY_SIDE_PX, _GREY_SIDE_PX), Pillow.Resampling.LANCZOS)
    if np.asarray(grey).std() < _FLAT:
        return Fingerprint(pixels, None)
    turned = [grey if each is None else grey.transpose(each) for each in _ORIENTATIONS]
    return Fingerprint(pixels, np.stack([_hash(each) for each in turned]))


def exact_groups(fingerprints: Mapping[int, Fingerprint]) -> list[list[int]]:
    """Images of equal pixels, in groups of two and more, by their positions.

    Args:
        fingerprints: By position in the data set.
    """
    return _shared((index, each.pixels) for index, each in fingerprints.items())


def near_groups(fingerprints: Mapping[int, Fingerprint]) -> list[list[int]]:
    """Images that are nearly the same, also when turned or mirrored, by their positions.

    An image is in a group if it is near any other of the group. A group has at least two different
    images; exact copies of them are in it too.

    Args:
        fingerprints: By position in the data set.
    """
    hashed = [index for index, each in fingerprints.items() if each.hashes is not None]
    if len(hashed) < 2:
        return []
    hashes = np.stack([each.hashes for each in fingerprints.values() if each.hashes is not None])
    pairs = np.array(list(_near_pairs(hashes)), np.int64).reshape(-1, 2)
    edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(hashed),) * 2)
    _, labels = connected_components(edges, directed=False)
    groups = _shared(zip(hashed, labels.tolist(), strict=True))
    return [group for group in groups if len({fingerprints[each].pixels for each in group}) > 1]


def source_groups(names: Sequence[str]) -> list[list[int]]:
    """Images whose names betray a common source, in groups of two and more, by their positions.

    The source is the name before its last number (``tile12`` of ``tile12_03``), if that part has
    a number too. Where all names share one source, it says nothing and there are no groups.

    Args:
        names: Of all images of the data set.
    """
    sources = [(index, source) for index, name in enumerate(names) if (source := source_of(name))]
    if len(sources) == len(names) and len({source for _, source in sources}) == 1:
        return []
    return _shared(sources)


def source_of(name: str) -> str | None:
    """What a name says about the source of its image; None: nothing."""
    # Without the folders that some data sets have in their names.
    found = _BEFORE_LAST_NUMBER.fullmatch(name.rpartition("/")[2])
    if found is None or not any(letter.isdigit() for letter in found[1]):
        return None
    return found[1]


def _hash(grey: Pillow.Image) -> Hashes:
    # Only now: nothing but a check of data needs it.
    import imagehash

    bits = imagehash.phash(grey, hash_size=_HASH_SIDE).hash
    return np.packbits(bits).view(np.uint64)


def _near_pairs(hashes: Hashes) -> Iterator[tuple[int, int]]:
    """Pairs of rows that are near in some orientation.

    Args:
        hashes: Shape Nx8x4.
    """
    for index, upright in enumerate(hashes[:-1, 0]):
        bits = np.bitwise_count(hashes[index + 1 :] ^ upright).sum(axis=2, dtype=np.uint16)
        for other in np.flatnonzero(bits.min(axis=1) <= MAX_DISTANCE_BITS):
            yield index, index + 1 + int(other)


def _shared(keys: Iterable[tuple[int, Any]]) -> list[list[int]]:
    """Positions of the same key, in groups of two and more."""
    groups: dict[Any, list[int]] = {}
    for index, key in keys:
        groups.setdefault(key, []).append(index)
    return [group for group in groups.values() if len(group) > 1]
