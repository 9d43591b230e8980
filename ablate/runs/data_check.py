"""What a check of a data set found, as a value and as a file of the store."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from ablate.runs.formats import Document
from ablate.spec import Frozen, Split, digest_of


def printable(text: str) -> str:
    """The text with a question mark for each byte of a file's name that is not UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


_Text = Annotated[str, BeforeValidator(printable)]

Severity = Literal["problem", "note"]
FindingKind = Literal[
    "layout",
    "images-without-masks",
    "masks-without-images",
    "unreadable",
    "size-mismatch",
    "split",
    "empty-masks",
    "full-masks",
    "inverted-masks",
    "mask-values",
    "clipped-values",
    "duplicates-across-split",
    "duplicates",
    "near-duplicates-across-split",
    "near-duplicates",
    "overlaps-across-split",
    "overlaps",
    "sources-across-split",
]


class Finding(Frozen):
    """Something about a data set that a user should know.

    Attributes:
        kind: What it is.
        severity: ``problem``: the runs fail or their scores mislead; ``note``: it may be meant.
        message: One line.
        repair: What to do about it, in one line.
        names: Every image that it is about, in the order of the data set.
        groups: The same names in groups, where images belong together; else empty.
    """

    kind: FindingKind
    severity: Severity
    message: _Text
    repair: _Text
    names: tuple[_Text, ...] = ()
    groups: tuple[tuple[_Text, ...], ...] = ()


class SizeRange(Frozen):
    """The sizes of the readable images in pixels.

    Attributes:
        smallest: The least width and the least height.
        median: The median width and the median height, rounded down.
        largest: The greatest width and the greatest height.
        distinct: The number of different sizes.
    """

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    distinct: int


class PositiveShares(Frozen):
    """Positive pixels among all pixels of a part, as fractions; None without a readable pair.

    Attributes:
        all: Of every image.
        train: Of the training images.
        validation: Of the validation images.
        test: Of the test images.
    """

    all: float | None
    train: float | None
    validation: float | None
    test: float | None = None


class GroupCounts(Frozen):
    """How many groups of images that belong together each part of a split has."""

    train: int
    validation: int
    test: int


class ClippedValues(Frozen):
    """What a declared scale cuts off.

    Attributes:
        clipped: Values of the shown channels that it puts beyond 0..255.
        all: All values of these channels.
    """

    clipped: int
    all: int


ScaleRanges = tuple[tuple[float, float], ...]
"""For red, green and blue: the value that becomes 0, and the one that becomes 255."""


def scale_line(ranges: ScaleRanges) -> str:
    """What percentiles of the training images make of the values, in one line."""
    named = zip(("red", "green", "blue"), ranges, strict=True)
    shown = ", ".join(f"{colour} {low:g} to {high:g}" for colour, (low, high) in named)
    return f"values that become 0 to 255, by percentiles of the training images: {shown}"


class DataCheck(Document):
    """``data-checks/ID.json``: the outcome of ``ablate data check``.

    Attributes:
        label: How tables call the data.
        digest: The data's SHA-256; None if a file cannot be read.
        split: The split that was checked.
        image_size_px: The size at which positive shares are taken.
        images: The number of images; 0 if the data set cannot be opened.
        train: The number of training images; None without a split.
        validation: The number of validation images; None without a split.
        test: The number of images of the test part; None without a split.
        groups: How many groups each part has; None for a split that knows no groups.
        sizes: The sizes of the images; None if none can be read.
        positive: The shares of positive pixels.
        values: What the scale cuts off; None for images that are bytes already.
        ranges: What the percentiles of the training images are, for red, green and blue; None
            where none are declared, or where a training image cannot be read.
        are_overlaps_checked: Whether images that overlap in part were looked for.
        findings: All findings, problems first.
        checked: When it was checked.
    """

    label: _Text
    digest: str | None
    split: Split
    image_size_px: int
    images: int
    train: int | None
    validation: int | None
    test: int | None = None
    groups: GroupCounts | None = None
    sizes: SizeRange | None
    positive: PositiveShares
    values: ClippedValues | None = None
    ranges: ScaleRanges | None = None
    are_overlaps_checked: bool = False
    findings: tuple[Finding, ...]
    checked: float

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(each for each in self.findings if each.severity == "problem")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are notes."""
        return tuple(each for each in self.findings if each.severity == "note")

    @property
    def has_suspects(self) -> bool:
        """Whether there are images to look at."""
        return self.images > 0 and any(finding.names for finding in self.findings)

    @property
    def counts(self) -> str:
        """``770 images, 0 problems, 3 notes``."""
        numbers = (
            (self.images, "image"),
            (len(self.problems), "problem"),
            (len(self.notes), "note"),
        )
        return ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in numbers)


def data_check_id(digest: str, split: Split) -> str:
    """The name of the outcome's file: of this data under this split."""
    return digest_of({"data": digest, "split": split.model_dump(mode="json")})[:16]
