"""Any folder of images beside any folder of masks."""

from pathlib import Path

from ablate.data.images import Images
from ablate.data.pairs import PairedFiles, check_folder, listing, some
from ablate.data.reading import SUFFIXES
from ablate.errors import DataError
from ablate.spec import FoldersData

_IMAGE_FOLDERS = ("image", "images", "img")
_MASK_FOLDERS = ("mask", "masks", "label", "labels", "annotations")


def open_folders(data: FoldersData, root: Path, digests: Path | None) -> Images:
    """Opens the two folders that ``data`` names below ``root``.

    Raises:
        DataError: If they are not two folders below ``root`` whose files pair up.
    """
    check_folder(root)
    images, masks = (_below(root, name) for name in (data.images, data.masks))
    if images == masks:
        raise DataError(f"images and masks are the same folder, {images}", "name two folders")
    return PairedFiles(root.absolute().name, images, masks, SUFFIXES, digests)


def find_folders(root: Path) -> FoldersData:
    """Finds the one pair of folders that are named as folders of images and of masks.

    Raises:
        DataError: If there is no such pair, or more than one.
    """
    held = [path.name for path in listing(root) if path.is_dir()]
    images = [name for name in _IMAGE_FOLDERS if name in held]
    masks = [name for name in _MASK_FOLDERS if name in held]
    repair = "name its folders in the protocol (data: kind: folders, images: …, masks: …)"
    if len(images) > 1 or len(masks) > 1:
        raise DataError(f"{root} has more than one pair: {', '.join(images + masks)}", repair)
    if not images or not masks:
        raise DataError(
            f"{root} is not a data set that ablate knows: it has neither landslide/image with "
            f"landslide/mask, nor TrainData/img with TrainData/mask, nor "
            f"{'|'.join(_IMAGE_FOLDERS)} with {'|'.join(_MASK_FOLDERS)}, "
            f"but {some([path.name for path in listing(root)]) or 'nothing'}",
            repair,
        )
    return FoldersData(kind="folders", images=images[0], masks=masks[0])


def _below(root: Path, name: str) -> Path:
    """The folder ``name`` of a data set; a protocol must not reach out of the data's root."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DataError(f"the folder {name} is not below the data's root", "name one below it")
    return root / name
