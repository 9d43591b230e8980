"""From a data spec, or from a folder alone, to a data set."""

from collections.abc import Callable
from pathlib import Path

from ablate.data.bijie import is_bijie, open_bijie
from ablate.data.coco import open_coco
from ablate.data.folders import find_folders, open_folders
from ablate.data.generated_images import open_generated
from ablate.data.images import Images
from ablate.data.landslide4sense import default, is_landslide4sense, open_landslide4sense
from ablate.data.pairs import check_folder
from ablate.errors import DataError
from ablate.spec import BijieData, Data

# By the data spec's ``kind``; called with the spec, its folder and the file of digests.
OPENERS: dict[str, Callable[..., Images]] = {
    "bijie": open_bijie,
    "coco": open_coco,
    "folders": open_folders,
    "generated": open_generated,
    "landslide4sense": open_landslide4sense,
}


def open_images(data: Data, root: Path | None, digests: Path | None = None) -> Images:
    """Opens a data set.

    Args:
        data: Which one.
        root: Its folder; None for data that needs none.
        digests: A JSON file that keeps digests of files, so that each file is hashed once; None:
            they are not kept.

    Raises:
        DataError: If the folder is missing or not laid out as ``data`` says.
    """
    if root is None and data.kind != "generated":
        raise DataError(f"the data set {data.kind} needs a folder", "give it with --data PATH")
    return OPENERS[data.kind](data, root, digests)


def detect(root: Path) -> Data:
    """Recognises a data set by its folder's layout.

    Raises:
        DataError: If it is missing or of no known layout.
    """
    check_folder(root)
    if is_bijie(root):
        return BijieData(kind="bijie")
    return default() if is_landslide4sense(root) else find_folders(root)
