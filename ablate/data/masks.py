"""Reading a mask file: what would silently count as positive is refused."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.data.images import Mask
from ablate.data.rasters import TiffHeader, check_upright, is_tiff, read_tiff, tiff_header
from ablate.data.reading import declaration, decode, opened
from ablate.errors import AmbiguousMask, DataError
from ablate.spec import FoldersData

# So many values are classes; more are what lossy compression leaves.
_MAX_CLASSES = 16
_SHOWN = 8


def read_mask(path: Path, data: FoldersData | None = None) -> tuple[Mask, int | None]:
    """Reads a mask.

    Undeclared, it may hold 0 and one value more, which is positive. A palette of greys is read as
    the greys that it shows, any other palette as its indices.

    Args:
        path: The file.
        data: What is declared about the data set; None: nothing can be.

    Returns:
        Shape HxW, True for positive; and the value that was taken for positive without being
        declared, None where there is none.

    Raises:
        DataError: If it is unreadable, or if it is not clear which pixels are positive.
    """
    levels, palette = _levels(path, data)
    if levels.dtype.kind == "f" and not np.isfinite(levels).all():
        raise DataError(f"mask {path} holds NaN or infinite values", "replace the file")
    rule = data.mask_values if data else None
    if rule is None:
        return _undeclared(path, levels, palette, data)
    mask: Mask
    if rule.threshold is not None:
        if palette is not None:
            raise DataError(
                f"mask {path} has a palette of colours, which has no threshold",
                f"declare its positive indices: {declaration(data, mask_values={'positive': [1]})}",
            )
        mask = levels > rule.threshold
        return mask, None
    mask = np.isin(levels, rule.positive)
    unknown = np.unique(levels[~mask & ~np.isin(levels, rule.negatives)])
    if unknown.size:
        raise AmbiguousMask(
            f"mask {path} holds {_listed(unknown)}, neither positive nor negative in "
            "the protocol's data.mask_values",
            "add each value to one of the two lists: training ignores none",
        )
    return mask, None


def check_mask_header(path: Path, data: FoldersData | None = None) -> tuple[int, int]:
    """Refuses what a mask's header alone tells, and decodes no pixel.

    Returns:
        Height and width as they are stored, before an EXIF orientation.

    Raises:
        DataError: As ``read_mask`` does, as far as the header tells.
    """
    if is_tiff(path):
        header = tiff_header(path)
        if not header.is_plain:
            _check_one_band(path, header)
            check_upright(path, header)
        return header.height, header.width
    with opened(path) as image:
        _check_lossless(path, image.format, data)
        return image.height, image.width


def mask_levels(path: Path, data: FoldersData | None = None) -> tuple[float, ...]:
    """The values that a mask's file holds, in order, before any rule says what they mean.

    A palette that shows greys counts as those greys, any other palette as its indices.

    Raises:
        DataError: If it is unreadable.
    """
    return tuple(np.unique(_levels(path, data)[0]).tolist())


def _undeclared(
    path: Path,
    levels: npt.NDArray[Any],
    palette: list[tuple[int, ...]] | None,
    data: FoldersData | None,
) -> tuple[Mask, int | None]:
    """What 0 and one other value say."""
    values = np.unique(levels)
    others = values[values != 0]
    if others.size > _MAX_CLASSES:
        raise AmbiguousMask(
            f"mask {path} holds {values.size} values from {values[0]:g} to {values[-1]:g}, as "
            "lossy compression leaves them",
            f"make it anew without loss, or declare the value above which pixels are positive: "
            f"{declaration(data, mask_values={'threshold': 127})}",
        )
    classes = [int(value) for value in others]
    example = {"positive": classes[:1], "negative": [0, *classes[1:]]}
    repair = f"declare which are positive, such as {declaration(data, mask_values=example)}"
    if others.size > 1:
        raise AmbiguousMask(f"mask {path} holds the values {_listed(values)}", repair)
    if others.size and (others[0] < 0 or others[0] != classes[0]):
        raise AmbiguousMask(
            f"mask {path} holds {others[0]:g}, which is no class value", "store 0 and 1"
        )
    if palette is not None and any(palette[0]):
        raise AmbiguousMask(
            f"mask {path} has a palette whose index 0 is not black, and holds the indices "
            f"{_listed(values)}",
            f"declare which indices are positive, such as {declaration(data, mask_values=example)}",
        )
    mask: Mask = levels != 0
    return mask, classes[0] if classes else None


def _levels(
    path: Path, data: FoldersData | None
) -> tuple[npt.NDArray[Any], list[tuple[int, ...]] | None]:
    """The values, HxW, and the colours of a palette that is not grey."""
    if is_tiff(path) and not (header := tiff_header(path)).is_plain:
        _check_one_band(path, header)
        values = read_tiff(path, header)[..., 0]
        if header.no_data and (values == header.no_data).any() and not (data and data.mask_values):
            raise DataError(
                f"mask {path} marks {header.no_data:g} as no data, and training ignores no pixel",
                "declare whether that is positive: "
                + declaration(
                    data, mask_values={"positive": [1], "negative": [0, int(header.no_data)]}
                ),
            )
        return values, None
    image = decode(path)
    _check_lossless(path, image.format, data)
    if "A" in image.getbands() and image.getchannel("A").getextrema() != (255, 255):
        raise DataError(f"mask {path} is partly transparent", "save it as plain 8-bit grey")
    if image.mode in ("1", "L", "LA") or image.mode.startswith(("I", "F")):
        values = np.asarray(image.convert("L") if image.mode in ("1", "LA") else image)
        return values, None
    colours = np.asarray(image.convert("RGB"))
    if (colours == colours[..., :1]).all():
        return colours[..., 0], None
    if image.mode == "P":
        shown = image.getpalette("RGB") or []
        return np.asarray(image), [tuple(shown[at : at + 3]) for at in range(0, len(shown), 3)]
    raise DataError(
        f"mask {path} is coloured (mode {image.mode})", "save it as 8-bit grey, positive above 0"
    )


def _check_one_band(path: Path, header: TiffHeader) -> None:
    if header.bands != 1:
        raise DataError(
            f"mask {path} has {header.bands} bands of {header.dtype}", "keep one of them"
        )


def _check_lossless(path: Path, kind: str | None, data: FoldersData | None) -> None:
    if kind in ("JPEG", "MPO") and not (data and data.mask_values):
        raise DataError(
            f"mask {path} is a JPEG, whose compression leaves values above 0 around the regions",
            "make the mask anew as PNG, or declare the value above which pixels are positive: "
            + declaration(data, mask_values={"threshold": 127}),
        )


def _listed(values: Iterable[Any]) -> str:
    shown = [f"{value:g}" for value in values]
    return ", ".join(shown[:_SHOWN]) + (", …" if len(shown) > _SHOWN else "")
