"""``convert_data``: any data set that is read, as the plain pair of folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import DataError
from ablate.registry import Catalogue
from ablate.spec import CocoData, FoldersData, PercentileScale
from ablate.study.data import DEFAULT_PROTOCOL
from ablate.study.request import expanded
from ablate.study.resolve import names_split, recognised


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        label: How tables call the data set that was read.
        images: The number of pairs.
        target: The new folder.
        lists: The split lists in it; empty where the data set has no split of its own.
    """

    label: str
    images: int
    target: Path
    lists: tuple[str, ...]


def convert_data(
    source: str | Path,
    target: str | Path,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    overrides: Sequence[str] = (),
) -> Conversion:
    """Writes a data set as ``image/NAME.png`` and ``mask/NAME.png``, masks with 0 and 255.

    A split that the data set's authors made (ready folders, or lists)
    is kept as ``train.txt`` and ``val.txt``. Percentiles that scale the images are those of the
    training images, as in a run.

    Args:
        source: The data set's folder; its layout is recognised.
        target: The folder to make.
        protocol: The protocol that declares the layout where it cannot be recognised.
        overrides: ``KEY=VALUE`` for the protocol, such as ``data.scale=12``.

    Raises:
        BadInput: If a name, a path or an override is wrong, the target exists, or a file cannot be
            read; nothing is left behind.
    """
    root, made = expanded(source), expanded(target)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "give the data set's folder")
    declared = Catalogue().protocol(protocol, overrides)

    from ablate.data import given_split, open_images, verify
    from ablate.data.plain import check_free, write_plain
    from ablate.data.splitting import FittedImages, parts

    check_free(made)
    data = recognised(root, declared)
    split = declared.split
    if split.kind == "holdout" and not names_split(declared.overrides):
        split = given_split(data, root) or split
    images = open_images(data, root)
    verify(images, None)
    lists: dict[str, Sequence[int]] = {}
    is_fitted = isinstance(data, FoldersData | CocoData) and isinstance(data.scale, PercentileScale)
    if is_fitted or split.kind != "holdout":
        found = parts(images.names, split, root)
        if split.kind != "holdout":
            lists = {"train.txt": found.train, "val.txt": found.validation}
            lists |= {"test.txt": found.test} if found.test else {}
        if isinstance(images, FittedImages):
            images.fit(found.train)
    write_plain(images, made, lists)
    return Conversion(images.label, len(images.names), made, tuple(lists))
