"""Image files and mask files that belong together by their names."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ablate.data.fetched import check_file, check_folder_fetched, check_name, named
from ablate.data.images import Image, Mask
from ablate.data.masks import check_mask_header, mask_levels, read_mask
from ablate.data.reader import ImageReader
from ablate.data.reading import declaration
from ablate.data.scaled_images import ScaledImages
from ablate.errors import DataError, SizeMismatch, Unpaired
from ablate.runs import FileDigests
from ablate.spec import FoldersData, MaskValues, digest_of

_NAMES_SHOWN = 3


class PairedFiles(ScaledImages):
    """Images and masks that belong together by the stems of their file names, or by patterns.

    Args:
        label: How tables call the data.
        images: Folder of the images.
        masks: Folder of the masks.
        suffixes: Which files count, in lower case; hidden files never do.
        digests: Where digests of files are remembered; None: nowhere.
        files: The image files and the mask files by name, where they are told by patterns; None:
            by their stems.
        data: What is declared about the values in the files, or can be; None: nothing can.

    Raises:
        DataError: If a folder is missing or empty, or if images and masks do not pair up.
    """

    def __init__(
        self,
        label: str,
        images: Path,
        masks: Path,
        suffixes: Collection[str],
        digests: Path | None,
        files: tuple[dict[str, Path], dict[str, Path]] | None = None,
        data: FoldersData | None = None,
    ) -> None:
        """Lists the files; opens none."""
        super().__init__(label, ImageReader(label, data))
        self._data = data
        self._digests_path = digests
        self._content: list[list[str]] | None = None
        self._images, self._masks = files or (by_stem(images, suffixes), by_stem(masks, suffixes))
        self.names = tuple(self._images)
        check_pairs(
            images,
            self._images,
            masks,
            self._masks,
            "give image and mask the same name, remove the odd ones, or declare in the protocol "
            "how they are called (data: kind: folders, image: '{stem}.*', mask: '{stem}_mask.*')",
        )

    def load(self, index: int) -> tuple[Image, Mask]:
        """The image with shape HxWx3 (RGB) and the mask with shape HxW (True: positive).

        Raises:
            DataError: If either is broken or of a kind that would be misread, or if their
                sizes differ.
        """
        name = self.names[index]
        image = self._reader.read(self._images[name])
        mask = read_mask(self._masks[name], self._data)[0]
        self._check_sizes(name, image.shape[:2], mask.shape)
        return image, mask

    def check(self, index: int) -> int | None:
        """Reads a pair as ``load`` does, except that it needs no percentiles.

        Returns:
            The value that was taken for positive; None: it was declared, or nothing is positive.

        Raises:
            DataError: As ``load`` does.
        """
        name = self.names[index]
        mask, positive = read_mask(self._masks[name], self._data)
        self._check_sizes(name, self._reader.size(self._images[name]), mask.shape)
        return positive

    def image_path(self, index: int) -> Path:
        """The file of an image."""
        return self._images[self.names[index]]

    def check_header(self, index: int) -> None:
        """Refuses what the headers of a pair's files alone tell, and decodes no pixel.

        Raises:
            DataError: As ``load`` does, as far as the headers tell.
        """
        name = self.names[index]
        image = self._reader.header_size(self._images[name])
        mask = check_mask_header(self._masks[name], self._data)
        # An EXIF orientation, which may stand behind the pixels, exchanges the sides.
        if sorted(image) != sorted(mask):
            self._check_sizes(name, image, mask)

    def is_hashed(self) -> bool:
        """Whether ``digest`` needs to read no file again."""
        known = FileDigests(self._digests_path)
        return all(known.knows(each) for each in (*self._images.values(), *self._masks.values()))

    def ambiguous_masks(self, first: int, value: int, second: int, other: int) -> DataError:
        """The error of two masks, by their indices, that were read as positive at two values."""
        paths = [self._masks[self.names[index]] for index in (first, second)]
        return DataError(
            f"mask {paths[0]} holds {value} besides 0, mask {paths[1]} holds {other}",
            self.declared_positive([value, other]),
        )

    def declared_positive(self, values: Sequence[int]) -> str:
        """The repair that declares these values positive."""
        rule = {"positive": list(values), "negative": [0]}
        return f"declare which are positive, such as {declaration(self._data, mask_values=rule)}"

    def _check_sizes(self, name: str, image: tuple[int, ...], mask: tuple[int, ...]) -> None:
        if image != mask:
            sizes = [f"{width}×{height}" for height, width in (mask, image)]
            raise SizeMismatch(
                f"mask {self._masks[name]} has {sizes[0]} pixels, its image {sizes[1]}",
                "give both the same size",
            )

    @property
    def mask_rule(self) -> MaskValues | None:
        """What is declared about the values of masks; None: nothing."""
        return None if self._data is None else self._data.mask_values

    def mask_levels(self, index: int) -> tuple[float, ...]:
        """The values that a mask's file holds, in order, before any rule says what they mean.

        Raises:
            DataError: If it is broken.
        """
        return mask_levels(self._masks[self.names[index]], self._data)

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over names and contents of all files and how they are read.

        Raises:
            BadInput: If a file cannot be read.
        """
        if self._digest is None:
            if self._content is None:
                self._content = content(self._images, self._masks, self._digests_path)
            masks = self._data and self._data.model_dump(
                mode="json", include={"mask_values"}, exclude_defaults=True
            )
            reading = self._reader.identity() | (masks or {})
            # Without a declaration the digest is what it was before there were any.
            self._digest = digest_of(
                {"files": self._content, "ranges": None} | reading if reading else self._content
            )
        return self._digest


def check_folder(path: Path) -> None:
    """Refuses what is not a folder.

    Raises:
        DataError: If it is missing or a file, or if its name is not UTF-8.
    """
    check_name(path)
    check_folder_fetched(path)
    if not path.exists():
        raise DataError(f"data folder {path} does not exist", "check the path")
    if not path.is_dir():
        raise DataError(f"{path} is a file, not a folder of data", "give the folder")


def some(names: Collection[str]) -> str:
    """The first few names, in one line."""
    shown = ", ".join(list(names)[:_NAMES_SHOWN])
    return f"{shown}, …" if len(names) > _NAMES_SHOWN else shown


def listing(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name, without hidden files.

    Raises:
        DataError: If it cannot be listed.
    """
    check_folder(folder)
    try:
        # Sorted as whole file names: the authors' split counts positions in that order.
        paths = sorted(folder.iterdir(), key=lambda path: unicodedata.normalize("NFC", path.name))
    except OSError as error:
        raise DataError(
            f"folder {folder} cannot be read ({error.strerror})", "check its permissions"
        ) from error
    return [path for path in paths if not path.name.startswith(".")]


def by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """The files that count, by stem, in the order of their names.

    Raises:
        DataError: If there are none, two of one stem, or one without content of its own.
    """
    paths = listing(folder)
    files: dict[str, Path] = {}
    for path in paths:
        name = Path(named(path))
        if name.suffix.lower() not in suffixes or path.is_dir():
            continue
        check_file(path)
        # In one normal form: archives and other systems write é as one letter or as two.
        stem = unicodedata.normalize("NFC", name.stem)
        if stem in files:
            raise DataError(f"{folder} has {files[stem].name} and {path.name}", "keep one of them")
        files[stem] = path
    if not files:
        held = f"it holds {some([path.name for path in paths])}" if paths else "it is empty"
        raise DataError(f"no images in {folder}: {held}", f"put {_either(suffixes)} files there")
    return files


def check_pairs(
    images: Path,
    image_names: Collection[str],
    masks: Path,
    mask_names: Collection[str],
    repair: str,
) -> None:
    """Refuses images without masks and masks without images.

    Raises:
        Unpaired: If there are any.
    """
    problems = []
    unpaired: dict[str, tuple[str, ...]] = {}
    for what, here, names, other, there, others in (
        ("image", images, image_names, "mask", masks, set(mask_names)),
        ("mask", masks, mask_names, "image", images, set(image_names)),
    ):
        unpaired[what] = alone = tuple(name for name in names if name not in others)
        if alone:
            problems.append(
                f"{len(alone)} of {len(names)} {what}s in {here} have no {other} in {there} "
                f"({some(alone)})"
            )
    if problems:
        raise Unpaired(" and ".join(problems), repair, unpaired["image"], unpaired["mask"])


def content(
    images: Mapping[str, Path], masks: Mapping[str, Path], digests: Path | None
) -> list[list[str]]:
    """Name, digest of the image and digest of the mask, for every pair in order.

    Args:
        images: The image files by name.
        masks: The mask files by the same names.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        BadInput: If a file cannot be read.
    """
    known = FileDigests(digests)
    rows = [[name, known.of(image), known.of(masks[name])] for name, image in images.items()]
    known.save()
    return rows


def _either(suffixes: Collection[str]) -> str:
    return " or ".join(sorted(suffixes))
