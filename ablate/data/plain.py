"""Writing a data set as the plain pair of folders: ``image/NAME.png`` and ``mask/NAME.png``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from ablate.data.images import Images
from ablate.errors import DataError, StoreError
from ablate.runs import atomic
from ablate.runs.new_folder import new_folder

_POSITIVE = 255


def write_plain(images: Images, target: Path, lists: Mapping[str, Sequence[int]]) -> None:
    """Writes every pair as PNG: the image as it is trained on, the mask with values 0 and 255.

    Names with folders become plain ones, ``train/a`` for instance ``train_a``. A kill leaves
    nothing at ``target``; what it leaves beside it, the next call removes.

    Args:
        images: The data set.
        target: The folder to make.
        lists: Positions of images by the file, such as ``train.txt``, that lists their names.

    Raises:
        DataError: If the target exists, two names become one, or an image or mask is broken.
        StoreError: If the target cannot be written.
    """
    names = _plain_names(images.names)
    check_free(target)
    try:
        with new_folder(target) as partial:
            for kind in ("image", "mask"):
                (partial / kind).mkdir()
            for index, name in enumerate(names):
                image, mask = images.load(index)
                Pillow.fromarray(image).save(partial / "image" / f"{name}.png")
                levels = mask.astype(np.uint8) * _POSITIVE
                Pillow.fromarray(levels).save(partial / "mask" / f"{name}.png")
            for file, indices in lists.items():
                text = "".join(f"{names[index]}\n" for index in indices)
                (partial / file).write_text(text, encoding="utf-8")
            check_free(target)
            for folder in (partial / "image", partial / "mask", partial):
                for path in folder.iterdir():
                    if path.is_file():
                        atomic.sync_file(path)
                atomic.sync_folder(folder)
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(
            f"{target} cannot be written ({reason})", "check permissions and space, or name another"
        ) from error


def check_free(target: Path) -> None:
    """Refuses to write where something is.

    Raises:
        DataError: If the target exists, or the folder that it is to be in does not.
    """
    # A link that leads nowhere does not "exist".
    if target.exists() or target.is_symlink():
        raise DataError(f"{target} exists", "name a new folder: nothing is overwritten")
    if not target.absolute().parent.is_dir():
        raise DataError(f"there is no folder {target.absolute().parent}", "make it first")


def _plain_names(names: Sequence[str]) -> list[str]:
    plain = [name.replace("/", "_") for name in names]
    known: dict[str, str] = {}
    for name, flat in zip(names, plain, strict=True):
        if flat in known:
            raise DataError(
                f"{known[flat]} and {name} would both become {flat}.png", "rename one of them"
            )
        known[flat] = name
    return plain
