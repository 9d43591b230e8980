"""Images, ground truth, and what each row's model predicts, as the paper's Figs. 7 and 8."""

import base64
import io
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.report.figures.style import (
    BLUE,
    INK,
    ORANGE,
    SOFT,
    TWO_COLUMNS_MM,
    LeftOut,
    Sheet,
    legend_above,
    letters_in,
    new_figure,
    sheet_of,
    shortened,
)
from ablate.report.model import Report, Row
from ablate.report.page.model import PageData, Picture

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# As many columns as two columns of a journal have room for; more rows go to further sheets.
_ROWS_OF_A_SHEET, _MOST_ROWS = 10, 30
_LONGEST_LABEL = 20
_LARGEST_TILE_MM, _GAP_MM, _LEGEND_MM, _NAME_MM, _FOOT_LINE_MM = 24.0, 0.7, 7.0, 5.0, 3.4
# Headings lean to the right, by this angle, and reach beyond the last column.
_ANGLE = 45
_MISSING = (0.9, 0.9, 0.9)


def draw(report: Report, page: PageData) -> list[Sheet] | LeftOut:
    """A line for each image and a column for each row of the table; ten rows on each sheet."""
    if not page.pictures:
        return LeftOut("no run has a panel yet")
    pictured = {name for picture in page.pictures for name in picture.predictions}
    rows = [row for row in report.rows if row.name in pictured or row.missing_reason]
    rows = rows[:_MOST_ROWS]
    parts = [rows[at : at + _ROWS_OF_A_SHEET] for at in range(0, len(rows), _ROWS_OF_A_SHEET)]
    return [
        _sheet(report, page, part, "panels" if len(parts) == 1 else f"panels-{number}")
        for number, part in enumerate(parts, start=1)
    ]


def _sheet(report: Report, page: PageData, rows: Sequence[Row], name: str) -> Sheet:
    heads = ["image", "ground truth", *(shortened(row.label, _LONGEST_LABEL) for row in rows)]
    lean = math.sin(math.radians(_ANGLE))
    # What a heading of 7 pt takes up and to the right.
    reach_mm = 2 + lean * 1.45 * max(map(len, heads))
    room_mm = TWO_COLUMNS_MM - _NAME_MM - reach_mm
    step_mm = min(_LARGEST_TILE_MM, room_mm / len(heads))
    notes = page.picture_notes
    lines = sum(
        len(textwrap.wrap(text, letters_in(TWO_COLUMNS_MM)))
        for text in (report.watermark or "", *notes)
    )
    top_mm, foot_mm = _LEGEND_MM + reach_mm, 2 + _FOOT_LINE_MM * lines
    height_mm = top_mm + step_mm * len(page.pictures) + foot_mm
    figure = new_figure(TWO_COLUMNS_MM, height_mm)
    # Every tile has its place in millimetres.
    figure.set_layout_engine("none")
    for line, picture in enumerate(page.pictures):
        tiles = [
            _decoded(picture.image),
            _decoded(picture.ground_truth),
            *(_prediction(picture, row) for row in rows),
        ]
        for column, tile in enumerate(tiles):
            left = _NAME_MM + column * step_mm
            bottom = height_mm - top_mm - (line + 1) * step_mm
            side = step_mm - _GAP_MM
            axes = figure.add_axes(
                (
                    left / TWO_COLUMNS_MM,
                    bottom / height_mm,
                    side / TWO_COLUMNS_MM,
                    side / height_mm,
                )
            )
            _fill(axes, tile, rows[column - 2] if column > 1 else None)
            if not column:
                axes.set_ylabel(shortened(picture.name, letters_in(side)), fontsize=7)
            if not line:
                axes.annotate(
                    heads[column],
                    (0.5, 1),
                    xytext=(0, 3),
                    xycoords="axes fraction",
                    textcoords="offset points",
                    rotation=_ANGLE,
                    rotation_mode="anchor",
                    fontsize=7,
                )
    _legend(figure, report.positive_class)
    words = "images, ground truth and predictions"
    return sheet_of(report, name, words, figure, notes, formats=("png",))


def _fill(axes: "Axes", tile: "NDArray[np.uint8] | None", row: Row | None) -> None:
    """Shows a tile, or why there is none."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if tile is not None:
        axes.imshow(tile, interpolation="antialiased", aspect="auto")
        return
    axes.set_facecolor(_MISSING)
    reason = (row.missing_reason if row else None) or "no panel"
    words = "\n".join(textwrap.wrap(reason, 9))
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=7, color=SOFT)


def _decoded(uri: str) -> "NDArray[np.uint8]":
    """The picture of a data URI, RGBA."""
    import numpy as np
    from PIL import Image

    content = base64.b64decode(uri.partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


def _prediction(picture: Picture, row: Row) -> "NDArray[np.uint8] | None":
    """What a row predicts, in colours whose lightness differs: a print in grey tells them apart."""
    import numpy as np
    from matplotlib.colors import to_rgb

    if (uri := picture.predictions.get(row.name)) is None:
        return None
    pixels = _decoded(uri).astype(np.int16)
    red, blue, is_painted = pixels[..., 0], pixels[..., 2], pixels[..., 3] > 0
    is_found = is_painted & (pixels[..., :3].min(axis=-1) > 200)
    shown = np.zeros((*pixels.shape[:2], 3))
    shown[is_painted & (red > blue)] = to_rgb(ORANGE)
    shown[is_painted & (red <= blue)] = to_rgb(BLUE)
    shown[is_found] = 1
    return (255 * shown).round().astype(np.uint8)


def _legend(figure: "Figure", positive: str) -> None:
    from matplotlib.patches import Patch

    words = (("white", f"{positive} found"), (ORANGE, "false alarm"), (BLUE, f"{positive} missed"))
    entries = [
        (Patch(facecolor=colour, edgecolor=INK, linewidth=0.4), text) for colour, text in words
    ]
    legend_above(figure, entries)
