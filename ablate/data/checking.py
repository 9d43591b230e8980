"""Checks a whole data set before anything is trained on it."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from PIL import Image as Pillow

from ablate.data.duplicates import Fingerprint, fingerprint
from ablate.data.images import Images, Mask
from ablate.data.leaks import leaks
from ablate.data.mask_findings import MaskFacts, mask_findings
from ablate.data.overlaps import Thumbnail, overlapping_pairs, thumbnail
from ablate.data.pairs import some
from ablate.data.split_parts import Parts
from ablate.data.wording import counted
from ablate.errors import AmbiguousMask, DataError, SizeMismatch, Unpaired
from ablate.runs import (
    ClippedValues,
    DataCheck,
    Finding,
    FindingKind,
    GroupCounts,
    PositiveShares,
    SizeRange,
)
from ablate.spec import MaskValues, Split


@dataclass(frozen=True)
class Pair:
    """A readable pair of an image and its mask.

    Attributes:
        width: In pixels.
        height: In pixels.
        mask: What is known about the mask.
        positives: Positive pixels at the protocol's size.
        fingerprint: What the image is compared by.
        thumbnail: The image reduced; None if overlaps are not looked for.
    """

    width: int
    height: int
    mask: MaskFacts
    positives: int
    fingerprint: Fingerprint
    thumbnail: Thumbnail | None


@runtime_checkable
class ClippedImages(Interface):
    """Images whose values are scaled to bytes, so that some are cut off."""

    def clipped(self, index: int) -> tuple[int, int]:
        """How many values of an image are beyond the range, and how many there are."""
        ...


@runtime_checkable
class LevelledMasks(Interface):
    """Masks of files whose values are read by a rule."""

    @property
    def mask_rule(self) -> MaskValues | None:
        """What is declared about the values; None: nothing."""
        ...

    def mask_levels(self, index: int) -> tuple[float, ...]:
        """The values that a mask's file holds, in order."""
        ...

    def declared_positive(self, values: Sequence[int]) -> str:
        """The repair that declares these values positive."""
        ...


def check_images(
    images: Images,
    digest: str | None,
    split: Split,
    parts: Parts | None,
    size_px: int,
    *,
    overlaps: bool = False,
    groups: Sequence[str] | None = None,
) -> DataCheck:
    """Reads every image and mask once.

    Args:
        images: The data set.
        digest: The data's part in the identity of runs; None: a file cannot be read.
        split: The split that ``parts`` are of.
        parts: Positions of the images of each part; None: there is no split.
        size_px: The size at which positive shares are taken.
        overlaps: Whether to look for images that overlap in part, which takes longer.
        groups: The group of each image; None: the split knows no groups.
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
        *_masks(images, pairs),
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
        test=len(parts.test) if parts else None,
        groups=_group_counts(groups, parts) if groups and parts else None,
        sizes=_sizes(list(pairs.values())),
        positive=PositiveShares(
            all=_positive_share(pairs, range(len(names)), size_px),
            train=_positive_share(pairs, parts.train, size_px) if parts else None,
            validation=_positive_share(pairs, parts.validation, size_px) if parts else None,
            test=_positive_share(pairs, parts.test, size_px) if parts else None,
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
    levels = images.mask_levels(index) if isinstance(images, LevelledMasks) else ()
    return Pair(
        width=width,
        height=height,
        mask=MaskFacts(float(mask.mean()), levels),
        positives=_positives(mask, size_px),
        fingerprint=fingerprint(image),
        thumbnail=thumbnail(image) if overlaps else None,
    )


def _positives(mask: Mask, size_px: int) -> int:
    """Positive pixels after the resizing that ``prepare`` does."""
    resized = Pillow.fromarray(mask.astype(np.uint8)).resize(
        (size_px, size_px), Pillow.Resampling.NEAREST
    )
    return int(np.count_nonzero(np.asarray(resized)))


def _group_counts(groups: Sequence[str], parts: Parts) -> GroupCounts:
    train, validation, test = (len({groups[index] for index in part}) for part in parts)
    return GroupCounts(train=train, validation=validation, test=test)


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


def _masks(images: Images, pairs: Mapping[int, Pair]) -> list[Finding]:
    rule, repair = None, ""
    if isinstance(images, LevelledMasks):
        rule, repair = images.mask_rule, images.declared_positive(_levels(pairs))
    masks = {index: pair.mask for index, pair in pairs.items()}
    return mask_findings(images.names, masks, rule, repair)


def _levels(pairs: Mapping[int, Pair]) -> list[int]:
    """The values besides 0 that are in any mask."""
    return sorted({int(each) for pair in pairs.values() for each in pair.mask.levels if each})


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
