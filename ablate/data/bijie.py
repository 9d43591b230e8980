"""The Bijie landslide data set, as its authors published it."""

from pathlib import Path

from ablate.data.images import Images
from ablate.data.pairs import PairedFiles, check_folder
from ablate.errors import DataError
from ablate.spec import BijieData, FoldersData


def is_bijie(root: Path) -> bool:
    """Whether ``root`` has the folders of the Bijie data set."""
    return (root / "landslide/image").is_dir() and (root / "landslide/mask").is_dir()


def open_bijie(data: BijieData, root: Path, digests: Path | None) -> Images:
    """Opens ``landslide/image/*.png`` and ``landslide/mask/*.png`` below ``root``.

    The images in ``non-landslide/`` have no masks and are not part of the paper's 770.

    Raises:
        DataError: If ``root`` is not laid out so.
    """
    check_folder(root)
    if not is_bijie(root):
        below = root.absolute().name == "landslide" and (root / "image").is_dir()
        raise DataError(
            f"{root} is not the Bijie data set: it has no landslide/image and landslide/mask",
            f"give the folder above it, {root.absolute().parent}"
            if below
            else "give the folder that holds landslide/, or name the data set's own layout "
            "(kind: folders) in the protocol",
        )
    folder = root / "landslide"
    # What a protocol would have to say to read such files in another way.
    like = FoldersData(kind="folders", images="landslide/image", masks="landslide/mask")
    return PairedFiles("Bijie", folder / "image", folder / "mask", {".png"}, digests, data=like)
