"""From a data spec, or from a folder alone, to a data set."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from ablate.errors import DataError
from ablate.spec import BijieData, Data

if TYPE_CHECKING:
    from ablate.data.images import Images

# By the data spec's ``kind``, a function that is called with the spec, its folder and the file of
# digests; as ``module:function``, imported when it is used: NumPy and Pillow, which all but one
# need, take as long to import as a plan to make.
OPENERS: dict[str, str] = {
    "bijie": "ablate.data.bijie:open_bijie",
    "coco": "ablate.data.coco:open_coco",
    "folders": "ablate.data.folders:open_folders",
    "generated": "ablate.data.generated_images:open_generated",
    "landslide4sense": "ablate.data.landslide4sense:open_landslide4sense",
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
    images: Images = resolve_name(OPENERS[data.kind])(data, root, digests)
    return images


def detect(root: Path) -> Data:
    """Recognises a data set by its folder's layout.

    Raises:
        DataError: If it is missing or of no known layout.
    """
    from ablate.data.bijie import is_bijie
    from ablate.data.folders import find_folders
    from ablate.data.landslide4sense import default, is_landslide4sense
    from ablate.data.pairs import check_folder

    check_folder(root)
    if is_bijie(root):
        return BijieData(kind="bijie")
    return default() if is_landslide4sense(root) else find_folders(root)
