"""The figure beside the table: images, truth, and what each row's model finds in them."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ablate.errors import BadInput
from ablate.report.results import read_results
from ablate.runs import Store, SweepRecord, atomic
from ablate.spec import RunSpec

_TILE_PX, _GAP_PX, _LINE_PX, _TEXT_PX = 112, 4, 14, 11
_LETTERS = 17
_PAPER, _INK, _HOLE = (255, 255, 255), (30, 30, 30), (214, 214, 214)
_KEY = "white: landslide found; red: false alarm; blue: landslide missed"


def write_figure(record: SweepRecord, runs: Sequence[RunSpec], store: Store, path: Path) -> None:
    """Puts the panels of a table's runs side by side into one PNG file.

    A row of tiles for each image, a column for each row of the table, from its first seed. Where
    a run has no panel, a grey tile says why.

    Args:
        record: The start of the sweep that is shown; its watermark stands below.
        runs: All runs of the table, in the order of its rows.
        store: Where the runs lie.
        path: The file; its folder is made if need be.

    Raises:
        BadInput: If no run has a panel yet.
        StoreError: As ``build`` does.
    """
    columns = _columns(record, runs, store)
    names = sorted({file.name for column in columns for file in column.panels.glob("*.png")})
    if not names:
        raise BadInput("no run of this table has a panel yet", "let one of its runs end first")
    heads = ["image", "truth", *(column.label for column in columns)]
    rows = [_row(name, columns) for name in names]
    foot = [_KEY, *([record.context.watermark] if record.context.watermark else [])]
    content = io.BytesIO()
    _drawn(heads, rows, foot).save(content, format="PNG", optimize=True)
    atomic.replace(path, content.getvalue())


class _Column(NamedTuple):
    """A row of the table: its label, what stands where a panel is missing, and its panels."""

    label: str
    hole: str
    panels: Path


def _columns(record: SweepRecord, runs: Sequence[RunSpec], store: Store) -> list[_Column]:
    """One for each row of the table, from its first seed."""
    columns: dict[str, _Column] = {}
    for reading in read_results(record, runs, store):
        run = reading.run
        column = _Column(run.label, str(reading.hole or "no panel"), store.run(run.key).panels_path)
        columns.setdefault(run.name, column)
    return list(columns.values())


def _row(name: str, columns: Sequence[_Column]) -> list[Image.Image | str]:
    """An image that some column has, its truth, and what each finds in it, or why it does not."""
    panels = [_tiles(column.panels / name) for column in columns]
    image, truth, _ = next(tiles for tiles in panels if tiles)
    found = (
        tiles[2] if tiles else column.hole for tiles, column in zip(panels, columns, strict=True)
    )
    return [image, truth, *found]


def _drawn(
    heads: Sequence[str], rows: Sequence[Sequence[Image.Image | str]], foot: Sequence[str]
) -> Image.Image:
    """Rows of tiles under their heads, and lines of text below."""
    lines = [textwrap.wrap(head, width=_LETTERS) for head in heads]
    step = _TILE_PX + _GAP_PX
    head_px = _LINE_PX * max(map(len, lines)) + _GAP_PX
    foot_px = head_px + step * len(rows)
    size = (step * len(heads) + _GAP_PX, foot_px + _LINE_PX * len(foot) + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT_PX)
    for column, each in enumerate(lines):
        left = _GAP_PX + column * step
        draw.multiline_text((left, _GAP_PX), "\n".join(each), fill=_INK, font=font)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            left, top = _GAP_PX + column * step, head_px + row * step
            if isinstance(tile, str):
                draw.rectangle((left, top, left + _TILE_PX - 1, top + _TILE_PX - 1), fill=_HOLE)
                draw.text((left + _GAP_PX, top + _GAP_PX), tile, fill=_INK, font=font)
            else:
                sheet.paste(tile, (left, top))
    for number, line in enumerate(foot):
        draw.text((_GAP_PX, foot_px + number * _LINE_PX), line, fill=_INK, font=font)
    return sheet


def _tiles(panel: Path) -> list[Image.Image] | None:
    """Image, truth and prediction of a panel, made small; None if there is no such panel."""
    if not panel.is_file():
        return None
    with Image.open(panel) as opened:
        side = opened.height
        return [
            opened.crop((left, 0, left + side, side)).resize((_TILE_PX, _TILE_PX))
            for left in range(0, opened.width, side)
        ]
