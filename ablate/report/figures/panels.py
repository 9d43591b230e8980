"""The figure beside the table: images, ground truth, and what each row's model predicts."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ablate.errors import BadInput
from ablate.report.results import read_results
from ablate.report.rows import RowRuns, TableRuns
from ablate.runs import Store, SweepRecord, atomic

_TILE_PX, _GAP_PX, _LINE_PX, _TEXT_PX = 112, 4, 14, 11
_LETTERS = 17
_PAPER, _INK, _MISSING = (255, 255, 255), (30, 30, 30), (214, 214, 214)


def write_panels(record: SweepRecord, store: Store, path: Path) -> None:
    """Puts the panels of a table's runs side by side into one PNG file.

    A row of tiles for each image, a column for each row of the table, from its first run. Where
    a run has no panel, a grey tile says why.

    Args:
        record: The start of the sweep that is shown; its watermark is printed below.
        store: The store that holds the runs.
        path: The file; its folder is made if need be.

    Raises:
        BadInput: If no run has a panel yet.
    """
    table = TableRuns(record, read_results(record, store), None, {})
    columns = [_column(row, store) for row in table.rows.values()]
    names = sorted({name for column in columns for name in column.panels})
    if not names:
        raise BadInput("no run of this table has a panel yet", "let one of its runs end first")
    heads = ["image", "ground truth", *(column.label for column in columns)]
    rows = [_row(name, columns) for name in names]
    positive = record.context.protocol.task.positive_class
    legend = f"white: {positive} found; red: false alarm; blue: {positive} missed"
    foot = [legend, *([record.context.watermark] if record.context.watermark else [])]
    content = io.BytesIO()
    _drawn(heads, rows, foot).save(content, format="PNG", optimize=True)
    atomic.replace(path, content.getvalue())


class _Column(NamedTuple):
    """A row of the table: its label, why a panel is missing, and its panels by name."""

    label: str
    missing_reason: str
    panels: dict[str, "_Tiles"]


class _Tiles(NamedTuple):
    """A panel, made small."""

    image: Image.Image
    ground_truth: Image.Image
    prediction: Image.Image


def _column(row: RowRuns, store: Store) -> _Column:
    """What the row's first run shows."""
    runs = [run for run in row.runs if run.missing_reason != "changed since it was run"]
    if not runs:
        return _Column(row.label, "not run", {})
    files = store.run(runs[0].run.key).panels_path.glob("[!.]*.png")
    panels = {file.name: tiles for file in files if (tiles := _tiles(file))}
    return _Column(row.label, str(runs[0].missing_reason or "no panel"), panels)


def _row(name: str, columns: Sequence[_Column]) -> list[Image.Image | str]:
    """An image, its ground truth, and each row's prediction or why there is none."""
    first = next(column.panels[name] for column in columns if name in column.panels)
    predictions = (
        column.panels[name].prediction if name in column.panels else column.missing_reason
        for column in columns
    )
    return [first.image, first.ground_truth, *predictions]


def _drawn(
    heads: Sequence[str], rows: Sequence[Sequence[Image.Image | str]], foot: Sequence[str]
) -> Image.Image:
    """Rows of tiles under their headings, and lines of text below."""
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
                draw.rectangle((left, top, left + _TILE_PX - 1, top + _TILE_PX - 1), fill=_MISSING)
                draw.text((left + _GAP_PX, top + _GAP_PX), tile, fill=_INK, font=font)
            else:
                sheet.paste(tile, (left, top))
    for number, line in enumerate(foot):
        draw.text((_GAP_PX, foot_px + number * _LINE_PX), line, fill=_INK, font=font)
    return sheet


def _tiles(panel: Path) -> _Tiles | None:
    """The three squares of a panel side by side; None if the file is not such a panel."""
    try:
        with Image.open(panel) as opened:
            side = opened.height
            if opened.width != 3 * side:
                return None
            return _Tiles(
                *(
                    opened.crop((left, 0, left + side, side)).resize((_TILE_PX, _TILE_PX))
                    for left in range(0, opened.width, side)
                )
            )
    except OSError:
        return None
