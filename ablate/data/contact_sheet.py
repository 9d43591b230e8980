"""The contact sheet of suspects: each image with its mask's outline and the reasons."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from scipy import ndimage

from ablate.data.images import Images, Mask
from ablate.data.split_parts import Parts
from ablate.errors import DataError
from ablate.runs import DataCheck, Finding, FindingKind, atomic
from ablate.runs.data_check import printable

_TILE_PX, _GAP_PX, _LINE_PX, _TEXT_PX = 160, 6, 14, 11
_COLUMNS, _LETTERS = 6, 25
_PAPER, _INK, _MISSING, _OUTLINE = (255, 255, 255), (30, 30, 30), (214, 214, 214), (255, 0, 0)
# Enough to see what is wrong, and few enough to look at.
_OF_A_FINDING = 4 * _COLUMNS

_REASONS: dict[FindingKind, str] = {
    "unreadable": "cannot be used",
    "size-mismatch": "mask of another size",
    "empty-masks": "empty mask",
    "full-masks": "full mask",
    "inverted-masks": "mask looks inverted",
    "mask-values": "more than two mask values",
    "clipped-values": "values cut off",
    "duplicates-across-split": "equal, across the split",
    "duplicates": "equal",
    "near-duplicates-across-split": "nearly equal, across the split",
    "near-duplicates": "nearly equal",
    "overlaps-across-split": "overlap, across the split",
    "overlaps": "overlap",
    "sources-across-split": "one source, across the split",
}


def write_sheet(check: DataCheck, images: Images, path: Path, parts: Parts | None = None) -> int:
    """Draws the images that the findings are about, finding by finding, into one PNG file.

    Of each finding the first 24 are shown; a line at the end says how many there are in all.

    Args:
        check: The outcome.
        images: The data set that it is of.
        path: The file; its folder is made if need be. It is not written without suspects.
        parts: The split, which captions name the side of; None: they do not.

    Returns:
        The number of images shown.
    """
    if not check.has_suspects:
        return 0
    suspects = [_suspects(finding) for finding in check.findings if finding.names]
    shown = [each for of_a_finding in suspects for each in of_a_finding[:_OF_A_FINDING]]
    positions = {printable(name): index for index, name in enumerate(images.names)}
    tiles = [_tile(images, positions[name]) for name, _ in shown]
    sides = _sides(parts)
    captions = [f"{name}{sides.get(positions[name], '')}: {reason}" for name, reason in shown]
    total = sum(map(len, suspects))
    foot = f"{check.label}: {len(shown)} of {total}, at most {_OF_A_FINDING} of each finding; "
    foot += "red: the mask's outline"
    content = io.BytesIO()
    _drawn(tiles, captions, foot).save(content, format="PNG", optimize=True)
    atomic.replace(path, content.getvalue())
    return len(shown)


def _sides(parts: Parts | None) -> dict[int, str]:
    """The side of the split that an image is on, by its position."""
    if parts is None:
        return {}
    sides = dict.fromkeys(parts.train, " (training)")
    sides |= dict.fromkeys(parts.validation, " (validation)")
    return sides | dict.fromkeys(parts.test, " (test)")


def _suspects(finding: Finding) -> list[tuple[str, str]]:
    """Names and reasons; those that belong together share the number of their group."""
    reason = _REASONS[finding.kind]
    if not finding.groups:
        return [(name, reason) for name in finding.names]
    return [
        (name, f"{reason} (group {number})")
        for number, group in enumerate(finding.groups, start=1)
        for name in group
    ]


def _tile(images: Images, index: int) -> Pillow.Image | None:
    """The image, made small, with its mask's outline; None if it cannot be read."""
    try:
        image, mask = images.load(index)
    except DataError:
        return None
    tile = Pillow.fromarray(image)
    tile.thumbnail((_TILE_PX, _TILE_PX))
    pixels = np.array(tile)
    pixels[_outline(mask, tile.size)] = _OUTLINE
    return Pillow.fromarray(pixels)


def _outline(mask: Mask, size: tuple[int, int]) -> Mask:
    """The positive pixels at the edges of regions, at another size (width, height)."""
    small = Pillow.fromarray(mask.astype(np.uint8)).resize(size, Pillow.Resampling.NEAREST)
    inside = np.asarray(small) > 0
    outline: Mask = inside & ~ndimage.binary_erosion(inside)
    return outline


def _drawn(
    tiles: Sequence[Pillow.Image | None], captions: Sequence[str], foot: str
) -> Pillow.Image:
    """Rows of tiles with their captions below, and a line of text at the end."""
    wrapped = [textwrap.wrap(caption, width=_LETTERS) for caption in captions]
    caption_px = _LINE_PX * max(map(len, wrapped))
    step_x, step_y = _TILE_PX + _GAP_PX, _TILE_PX + caption_px + 2 * _GAP_PX
    rows = math.ceil(len(tiles) / _COLUMNS)
    size = (_GAP_PX + step_x * _COLUMNS, _GAP_PX + step_y * rows + _LINE_PX + _GAP_PX)
    sheet = Pillow.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT_PX)
    for number, (tile, lines) in enumerate(zip(tiles, wrapped, strict=True)):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP_PX + column * step_x, _GAP_PX + row * step_y
        if tile is None:
            corner = (left + _TILE_PX - 1, top + _TILE_PX - 1)
            draw.rectangle((left, top, *corner), fill=_MISSING)
        else:
            # At the lower edge, where its caption is.
            sheet.paste(tile, (left, top + _TILE_PX - tile.height))
        place = (left, top + _TILE_PX + _GAP_PX)
        draw.multiline_text(place, "\n".join(lines), fill=_INK, font=font)
    draw.text((_GAP_PX, _GAP_PX + step_y * rows), foot, fill=_INK, font=font)
    return sheet
