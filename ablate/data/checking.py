"""Checks a whole data set before anything is trained on it."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from PIL import Image as Pillow

from ablate.data.duplicates import Fingerprint, fingerprint
from ablate.data.images import Images, Mask
from ablate.data.leaks import Parts, leaks
from ablate.data.mask_levels import odd_levels
from ablate.data.overlaps import Thumbnail, overlapping_pairs, thumbnail
from ablate.data.pairs import some
from ablate.data.wording import counted
from ablate.errors import AmbiguousMask, DataError, SizeMismatch, Unpaired
from ablate.runs import (
    ClippedValues,
    DataCheck,
    Finding,
    FindingKind,
    PositiveShares,
    Severity,
    SizeRange,
)
from ablate.spec import Split

# A mask looks inverted if more than the one share of it is positive in a data set in whose median
# mask it is less than the other.
_INVERTED_ABOVE, _INVERTED_MEDIAN_BELOW = 0.5, 0.3


@dataclass(frozen=True)
class Pair:
    """A readable pair of an image and its mask.

    Attributes:
        width: In pixels.
        height: In pixels.
        share: Positive pixels among all, at the image's own size.
        positives: Positive pixels at the protocol's size.
        fingerprint: What the image is compared by.
        odd_levels: Values of the mask's file that are neither 0 nor its greatest.
        thumbnail: The image reduced; None if overlaps are not looked for.
    """

    width: int
    height: int
    share: float
    positives: int
    fingerprint: Fingerprint
    odd_levels: tuple[int, ...]
    thumbnail: Thumbnail | None


@runtime_checkable
class ClippedImages(Interface):
    """Images whose values are scaled to bytes, so that some are cut off."""

    def clipped(self, index: int) -> tuple[int, int]:
        """How many values of an image are beyond the range, and how many there are."""
        ...


def check_images(
    images: Images,
    digest: str | None,
    split: Split,
    parts: Parts | None,
    size_px: int,
    *,
    overlaps: bool = False,
) -> DataCheck:
    """Reads every image and mask once.

    Args:
        images: The data set.
        digest: The data's part in the identity of runs; None: a file cannot be read.
        split: The split that ``parts`` are of.
        parts: Positions of the training and of the validation images; None: there is no split.
        size_px: The size at which positive shares are taken.
        overlaps: Whether to look for images that overlap in part, which takes longer.
    """
    pairs: dict[int, Pair] = {}
    broken: dict[int, DataError] = {}
    for index in range(len(images.names)):
        try:
            pairs[index] = _read(images, index, size_px, overlaps)
        except DataError as error:
            broken[index] = error
    names = images.names
    clipped = (
        {index: images.clipped(index) for index in pairs}
        if isinstance(images, ClippedImages)
        else {}
    )
    findings = [
        *_broken(names, broken),
        *_masks(names, pairs),
        *_clipped(names, clipped),
        *leaks(
            names,
            {index: pair.fingerprint for index, pair in pairs.items()},
            overlapping_pairs({i: each.thumbnail for i, each in pairs.items() if each.thumbnail}),
            parts,
        ),
    ]
    return DataCheck(
        label=images.label,
        digest=digest,
        split=split,
        image_size_px=size_px,
        images=len(names),
        train=len(parts.train) if parts else None,
        validation=len(parts.validation) if parts else None,
        sizes=_sizes(list(pairs.values())),
        positive=PositiveShares(
            all=_positive_share(pairs, range(len(names)), size_px),
            train=_positive_share(pairs, parts.train, size_px) if parts else None,
            validation=_positive_share(pairs, parts.validation, size_px) if parts else None,
        ),
        values=_values(clipped),
        are_overlaps_checked=overlaps,
        findings=_sorted(findings),
        checked=time.time(),
    )


def check_of_unopened(label: str, error: DataError, split: Split, size_px: int) -> DataCheck:
    """The outcome for a data set that cannot be opened."""
    return DataCheck(
        label=label,
        digest=None,
        split=split,
        image_size_px=size_px,
        images=0,
        train=None,
        validation=None,
        sizes=None,
        positive=PositiveShares(all=None, train=None, validation=None),
        findings=tuple(_unopened(error)),
        checked=time.time(),
    )


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Problems first, else in the given order."""
    return tuple(sorted(findings, key=lambda finding: finding.severity == "note"))


def _read(images: Images, index: int, size_px: int, overlaps: bool) -> Pair:
    image, mask = images.load(index)
    height, width = mask.shape
    mask_file = getattr(images, "mask_file", None)
    return Pair(
        width=width,
        height=height,
        share=float(mask.mean()),
        positives=_positives(mask, size_px),
        fingerprint=fingerprint(image),
        odd_levels=odd_levels(mask_file(index)) if mask_file else (),
        thumbnail=thumbnail(image) if overlaps else None,
    )


def _positives(mask: Mask, size_px: int) -> int:
    """Positive pixels after the resizing that ``prepare`` does."""
    resized = Pillow.fromarray(mask.astype(np.uint8)).resize(
        (size_px, size_px), Pillow.Resampling.NEAREST
    )
    return int(np.count_nonzero(np.asarray(resized)))


def _sizes(pairs: Sequence[Pair]) -> SizeRange | None:
    if not pairs:
        return None
    sizes = np.array([(pair.width, pair.height) for pair in pairs])

    def both(values: np.ndarray) -> tuple[int, int]:
        return int(values[0]), int(values[1])

    return SizeRange(
        smallest=both(sizes.min(axis=0)),
        median=both(np.median(sizes, axis=0)),
        largest=both(sizes.max(axis=0)),
        distinct=len(np.unique(sizes, axis=0)),
    )


def _positive_share(
    pairs: Mapping[int, Pair], indices: Iterable[int], size_px: int
) -> float | None:
    counts = [pairs[index].positives for index in indices if index in pairs]
    return sum(counts) / (len(counts) * size_px**2) if counts else None


# Findings ---------------------------------------------------------------------------------


def _unopened(error: DataError) -> list[Finding]:
    problem, repair = error.parts
    if not isinstance(error, Unpaired):
        return [Finding(kind="layout", severity="problem", message=problem, repair=repair)]
    rest = f"{repair}; nothing else is checked before"
    unpaired: tuple[tuple[FindingKind, tuple[str, ...], str], ...] = (
        ("images-without-masks", error.images, "no mask belongs to {}"),
        ("masks-without-images", error.masks, "no image belongs to {}"),
    )
    return [
        Finding(
            kind=kind,
            severity="problem",
            message=text.format(f"{counted(len(names), 'file')}: {some(names)}"),
            repair=rest,
            names=names,
        )
        for kind, names, text in unpaired
        if names
    ]


def _broken(names: Sequence[str], broken: Mapping[int, DataError]) -> list[Finding]:
    """One finding for each kind and cause: a cause is what follows the name of the file."""
    mismatched = {i: each for i, each in broken.items() if isinstance(each, SizeMismatch)}
    ambiguous = {i: each for i, each in broken.items() if isinstance(each, AmbiguousMask)}
    unreadable = {
        i: each for i, each in broken.items() if i not in mismatched and i not in ambiguous
    }
    findings = []
    kinds: tuple[tuple[FindingKind, Mapping[int, DataError], str], ...] = (
        ("unreadable", unreadable, "cannot be used"),
        ("mask-values", ambiguous, "without a clear mask"),
        ("size-mismatch", mismatched, "of another size than the mask"),
    )
    for kind, errors, text in kinds:
        if not errors:
            continue
        problem, repair = next(iter(errors.values())).parts
        those = tuple(names[index] for index in errors)
        pairs = counted(len(those), "image")
        findings.append(
            Finding(
                kind=kind,
                severity="problem",
                message=f"{pairs} {text} ({some(those)}); the first: {problem}",
                repair=repair,
                names=those,
            )
        )
    return findings


def _masks(names: Sequence[str], pairs: Mapping[int, Pair]) -> list[Finding]:
    """Masks that are empty, full, inverted or not of two values."""
    shares = {index: pair.share for index, pair in pairs.items()}
    positive = [share for share in shares.values() if share > 0]
    median = float(np.median(positive)) if positive else math.nan
    inverted = [
        index
        for index, share in shares.items()
        if _INVERTED_ABOVE < share < 1 and median < _INVERTED_MEDIAN_BELOW
    ]
    odd = sorted({level for pair in pairs.values() for level in pair.odd_levels})
    shown_odd = some([str(level) for level in odd])
    found: tuple[tuple[FindingKind, Severity, list[int], str, str], ...] = (
        (
            "empty-masks",
            "note" if positive else "problem",
            [index for index, share in shares.items() if share == 0],
            "without a positive pixel",
            "right where there is nothing to find; else make the masks anew",
        ),
        (
            "full-masks",
            "note",
            [index for index, share in shares.items() if share == 1],
            "with nothing but positive pixels",
            "look at them (--sheet), and remove them if no pixel outside is meant to be told apart",
        ),
        (
            "inverted-masks",
            "note",
            inverted,
            f"with more than {_INVERTED_ABOVE:.0%} positive pixels (median of all: "
            f"{median:.1%}), which look inverted",
            "look at them (--sheet), and invert those that are",
        ),
        (
            "mask-values",
            "note",
            [index for index, pair in pairs.items() if pair.odd_levels],
            f"with values that are neither 0 nor the greatest ({shown_odd})",
            "make sure that each of these values is meant as it is read, or save two values only",
        ),
    )
    return [
        Finding(
            kind=kind,
            severity=severity,
            message=f"{counted(len(those), 'mask')} {text}: {some([names[i] for i in those])}",
            repair=repair,
            names=tuple(names[index] for index in those),
        )
        for kind, severity, those, text, repair in found
        if those
    ]


def _clipped(names: Sequence[str], clipped: Mapping[int, tuple[int, int]]) -> list[Finding]:
    """Values that the declared scale pushes out of the range of a byte."""
    values = _values(clipped)
    if values is None or not values.clipped:
        return []
    those = tuple(names[index] for index, (beyond, _) in clipped.items() if beyond)
    return [
        Finding(
            kind="clipped-values",
            severity="note",
            message=f"{counted(len(those), 'image')} with values beyond the range that the scale "
            f"leaves, which are cut off ({values.clipped / values.all:.2%} of all values): "
            f"{some(those)}",
            repair="right for a few highlights; else choose a smaller data.scale",
            names=those,
        )
    ]


def _values(clipped: Mapping[int, tuple[int, int]]) -> ClippedValues | None:
    if not clipped:
        return None
    beyond, total = (sum(each) for each in zip(*clipped.values(), strict=True))
    return ClippedValues(clipped=beyond, all=total)
