"""``check_data``: what is wrong with a data set, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import BadInput, DataError
from ablate.registry import Catalogue
from ablate.runs import DataCheck, Finding, ScaleRanges, Store
from ablate.spec import Protocol, Split
from ablate.study.report import check_target
from ablate.study.request import expanded
from ablate.study.resolve import with_data

if TYPE_CHECKING:
    from ablate.data import Images, Parts

DEFAULT_PROTOCOL = "paper"


def check_data(
    path: str | Path,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    overrides: Sequence[str] = (),
    store: str | Path | None = None,
    sheet: str | Path | None = None,
    overlaps: bool = False,
) -> DataCheck:
    """Reads a whole data set and says what is wrong with it.

    Args:
        path: The data set's folder; its layout is recognised.
        protocol: The protocol that declares the split, the size of images and, where the layout
            cannot be recognised, the layout.
        overrides: ``KEY=VALUE`` for the protocol, such as ``split.seed=1``.
        store: The store that keeps the outcome for the reports on this data and split; None: it is
            not kept.
        sheet: The PNG file for a contact sheet of the suspects; it is not written without any.
            None: no sheet.
        overlaps: Whether to look for images that overlap in part. The time grows with the square
            of the number of images: about half a minute for 800.

    Returns:
        The outcome. Images and masks that do not pair up are an outcome too.

    Raises:
        BadInput: If a name, a path or an override is wrong, or the layout is not known.
        StoreError: If the outcome cannot be kept.
    """
    root = expanded(path)
    target = None if sheet is None else expanded(sheet)
    if target is not None:
        check_target(target)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "give the data set's folder")
    declared = Catalogue().protocol(protocol, overrides)
    kept = None if store is None else Store(expanded(store))
    check = _check(root, declared, kept, target, overlaps)
    if kept is not None:
        kept.record_data_check(check)
    return check


def _check(
    root: Path, protocol: Protocol, store: Store | None, sheet: Path | None, overlaps: bool
) -> DataCheck:
    # NumPy and SciPy would double the time until a mistake above is reported.
    from ablate.data import open_images
    from ablate.data.checking import check_images, check_of_unopened
    from ablate.data.contact_sheet import write_sheet
    from ablate.data.splitting import groups_in, parts

    protocol = with_data(root, protocol, needs_checkpoint=False)
    split, size_px = protocol.split, protocol.image_size_px
    try:
        images = open_images(protocol.data, root, store.digests_path if store else None)
    except DataError as error:
        return check_of_unopened(root.absolute().name, error, split, size_px)
    try:
        found: Parts | None = parts(images.names, split, root)
    except DataError as error:
        # Copies and masks are worth knowing of all the same.
        found = None
        _ranges(images, None, is_fitted=False)
        check = check_images(images, None, split, None, size_px, overlaps=overlaps)
        problem, repair = error.parts
        finding = Finding(kind="split", severity="problem", message=problem, repair=repair)
        check = check.model_copy(update={"findings": (finding, *check.findings)})
    else:
        digest = _digest(images, split, root)
        ranges = _ranges(images, found, is_fitted=digest is not None)
        groups = groups_in(images.names, split, root)
        check = check_images(
            images, digest, split, found, size_px, overlaps=overlaps, groups=groups
        )
        check = check.model_copy(update={"ranges": ranges})
    if sheet is not None:
        write_sheet(check, images, sheet, found)
    return check


def _digest(images: Images, split: Split, root: Path) -> str | None:
    """What the runs on this data call it; None: a file cannot be read, which is a finding."""
    from ablate.data import identify

    try:
        return identify(images, split, root).digest
    except BadInput:
        return None


def _ranges(images: Images, parts: Parts | None, *, is_fitted: bool) -> ScaleRanges | None:
    """The percentiles of the training images; None where there are none that a run would take.

    Where a training image cannot be read, or where there is no split, those of the readable images
    stand in for them, so that all others can be looked at.
    """
    from ablate.data.splitting import FittedImages
    from ablate.data.verified import Checkable

    if not isinstance(images, FittedImages):
        return None
    if is_fitted:
        return images.fitted_ranges
    if isinstance(images, Checkable):
        readable = []
        for index in parts.train if parts else range(len(images.names)):
            with suppress(DataError):
                images.check(index)
                readable.append(index)
        with suppress(DataError):
            images.fit(readable)
    return None
