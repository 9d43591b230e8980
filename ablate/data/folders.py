"""Any images and masks that folders and patterns of names tell apart."""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from ablate.data.fetched import check_folder_fetched
from ablate.data.images import Images
from ablate.data.pairs import PairedFiles, check_folder, listing, some
from ablate.data.patterns import Pattern, find_files
from ablate.data.reading import SUFFIXES
from ablate.errors import DataError
from ablate.spec import CocoData, Data, FoldersData, FoldersSplit, ListsSplit

_IMAGE_FOLDERS = ("image", "images", "img")
_MASK_FOLDERS = ("mask", "masks", "label", "labels", "annotations")
# What authors call the parts that they made.
_TRAIN_FOLDERS = ("train", "training")
_VALIDATION_FOLDERS = ("val", "valid", "validation")
_BY_STEM = "{stem}.*"


class _Ready(NamedTuple):
    """A pair of folders in each of two parts."""

    image: str
    mask: str
    train: str
    validation: str
    is_above: bool
    """Whether the parts' folders hold those of images and masks, not the other way round."""


def open_folders(data: FoldersData, root: Path, digests: Path | None) -> Images:
    """Opens the two folders that ``data`` names below ``root``, or the one.

    Raises:
        DataError: If they are not folders below ``root``, or if their files do not pair up.
    """
    check_folder(root)
    images, masks = (below(root, name) for name in (data.images, data.masks))
    if images == masks and data.image == data.mask:
        raise DataError(
            f"images and masks are the same folder, {images}",
            "name two folders, or tell the files apart (data: image: '{stem}.jpg', "
            "mask: '{stem}_label.png')",
        )
    files = None
    if (data.image, data.mask) != (_BY_STEM, _BY_STEM):
        patterns = [Pattern(text, SUFFIXES, data.folders) for text in (data.image, data.mask)]
        files = find_files((images, patterns[0]), (masks, patterns[1]))
    return PairedFiles(root.absolute().name, images, masks, SUFFIXES, digests, files, data)


def find_folders(root: Path) -> FoldersData:
    """Finds the one pair of folders that are named as folders of images and of masks.

    Parts that lie ready in ``train`` and ``val`` have each its own pair of such folders, in them
    (``train/images``) or above them (``images/train``). A third part (``test``) is left out.

    Raises:
        DataError: If there is no such pair, or more than one.
    """
    held = _folders(root)
    images = [name for name in _IMAGE_FOLDERS if name in held]
    masks = [name for name in _MASK_FOLDERS if name in held]
    ready = list(_ready(root, images, masks))
    if len(ready) > 1 or (not ready and (len(images) > 1 or len(masks) > 1)):
        pairs: list[tuple[str, ...]] = [each[:-1] for each in ready] or [(*images, *masks)]
        raise DataError(
            f"{root} has more than one pair: {', or '.join(', '.join(each) for each in pairs)}",
            "name its folders in the protocol (data: kind: folders, images: …, masks: …)",
        )
    if ready:
        return _in_parts(ready[0])
    if not images or not masks:
        for name in (*_IMAGE_FOLDERS, *_MASK_FOLDERS):
            check_folder_fetched(root / name)
        raise DataError(
            f"{root} is not a data set that ablate knows: it has neither landslide/image with "
            f"landslide/mask, nor TrainData/img with TrainData/mask, nor "
            f"{'|'.join(_IMAGE_FOLDERS)} with {'|'.join(_MASK_FOLDERS)}, "
            f"but {some([path.name for path in listing(root)]) or 'nothing'}",
            _repair(root),
        )
    _check_no_outlines(images[0], root / masks[0])
    return FoldersData(kind="folders", images=images[0], masks=masks[0])


def given_split(data: Data, root: Path) -> FoldersSplit | ListsSplit | None:
    """The split that a data set's authors made: into folders, or by lists in its root; else None.

    Args:
        data: How the data set is read.
        root: Its folder.

    Raises:
        DataError: If the root cannot be listed.
    """
    if isinstance(data, FoldersData | CocoData) and len(data.folders) == 2:
        return FoldersSplit(kind="folders", train=data.folders[0], validation=data.folders[1])
    held = {path.name for path in listing(root) if path.is_file()}
    names = [[f"{name}.txt" for name in each] for each in (_TRAIN_FOLDERS, _VALIDATION_FOLDERS)]
    for train, validation in product(*names):
        if {train, validation} <= held:
            test = "test.txt" if "test.txt" in held else None
            return ListsSplit(kind="lists", train=train, validation=validation, test=test)
    return None


def below(root: Path, name: str) -> Path:
    """What is called ``name`` in a data set.

    Raises:
        DataError: If it reaches out of the data's root.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DataError(f"the folder {name} is not below the data's root", "name one below it")
    return root / name


def _ready(root: Path, images: Sequence[str], masks: Sequence[str]) -> Iterator[_Ready]:
    """Every way in which parts lie ready below ``root``."""
    for image, mask in product(images, masks):
        inner = _folders(root / image) & _folders(root / mask)
        yield from (_Ready(image, mask, *parts, is_above=False) for parts in _parts(inner))
    for train, validation in _parts(_folders(root)):
        inner = _folders(root / train) & _folders(root / validation)
        for image, mask in product(_IMAGE_FOLDERS, _MASK_FOLDERS):
            if {image, mask} <= inner:
                yield _Ready(image, mask, train, validation, is_above=True)


def _in_parts(ready: _Ready) -> FoldersData:
    if ready.is_above:
        folders, below_part = (".", "."), (f"{ready.image}/", f"{ready.mask}/")
    else:
        folders, below_part = (ready.image, ready.mask), ("", "")
    return FoldersData(
        kind="folders",
        images=folders[0],
        masks=folders[1],
        image=f"{{folder}}/{below_part[0]}{_BY_STEM}",
        mask=f"{{folder}}/{below_part[1]}{_BY_STEM}",
        folders=(ready.train, ready.validation),
    )


def _parts(names: Collection[str]) -> Iterator[tuple[str, str]]:
    for pair in product(_TRAIN_FOLDERS, _VALIDATION_FOLDERS):
        if set(pair) <= set(names):
            yield pair


def _folders(root: Path) -> set[str]:
    return {path.name for path in listing(root) if path.is_dir()}


def _check_no_outlines(images: str, masks: Path) -> None:
    """Refuses a folder of COCO's JSON files: which one, and what in it is positive, is not told."""
    files = [path for path in listing(masks) if path.is_file()]
    outlines = [path.name for path in files if path.suffix.lower() == ".json"]
    if outlines and not any(path.suffix.lower() in SUFFIXES for path in files):
        file = f"{masks.name}/{outlines[0]}"
        raise DataError(
            f"{masks} holds {some(outlines)} and no masks",
            "if it is a COCO file, declare it in the protocol (data: kind: coco, "
            f"images: {images}, annotations: {file}, categories: [NAME, …])",
        )


def _repair(root: Path) -> str:
    """What to declare, by what lies in the folder."""
    files = [path for path in listing(root) if path.is_file()]
    if any(path.suffix.lower() in SUFFIXES for path in files):
        return (
            "declare in the protocol how images and masks are called (data: kind: folders, "
            "images: ., masks: ., image: '{stem}.jpg', mask: '{stem}_label.png')"
        )
    if any(path.suffix.lower() == ".json" for path in files):
        return (
            "if it is a COCO file, declare it in the protocol (data: kind: coco, images: FOLDER, "
            "annotations: FILE.json)"
        )
    return "name its folders in the protocol (data: kind: folders, images: …, masks: …)"
