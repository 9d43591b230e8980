"""The figure beside the table: images, truth, and what each row's model finds in them."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ablate.errors import BadInput
from ablate.report.readings import read_runs
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
    columns: dict[str, tuple[str, str, Path]] = {}
    for reading in read_runs(record, runs, store):
        run = reading.run
        hole, panels = str(reading.hole or "no panel"), store.run(run.key).panels_path
        columns.setdefault(run.name, (run.label, hole, panels))
    found = sorted(
        {file.name for _, _, panels in columns.values() for file in panels.glob("*.png")}
    )
    if not found:
        raise BadInput("no run of this table has a panel yet", "let one of its runs end first")
    heads = ["image", "truth", *(label for label, _, _ in columns.values())]
    lines = [textwrap.wrap(head, width=_LETTERS) for head in heads]
    head_px = _LINE_PX * max(map(len, lines)) + _GAP_PX
    foot = [_KEY, *([record.context.watermark] if record.context.watermark else [])]
    step = _TILE_PX + _GAP_PX
    foot_px = head_px + step * len(found)
    size = (step * len(heads) + _GAP_PX, foot_px + _LINE_PX * len(foot) + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT_PX)
    for column, each in enumerate(lines):
        left = _GAP_PX + column * step
        draw.multiline_text((left, _GAP_PX), "\n".join(each), fill=_INK, font=font)
    for row, name in enumerate(found):
        tiles: list[Image.Image | None] = [None, None]
        for _, _, panels in columns.values():
            panel = _tiles(panels / name)
            tiles[:2] = panel[:2] if panel else tiles[:2]
            tiles.append(panel[2] if panel else None)
        holes = ["", "", *(hole for _, hole, _ in columns.values())]
        for column, (tile, hole) in enumerate(zip(tiles, holes, strict=True)):
            corner = (_GAP_PX + column * step, head_px + row * step)
            if tile:
                sheet.paste(tile, corner)
            else:
                end = (corner[0] + _TILE_PX - 1, corner[1] + _TILE_PX - 1)
                draw.rectangle((corner, end), fill=_HOLE)
                draw.text((corner[0] + _GAP_PX, corner[1] + _GAP_PX), hole, fill=_INK, font=font)
    for number, line in enumerate(foot):
        draw.text((_GAP_PX, foot_px + number * _LINE_PX), line, fill=_INK, font=font)
    content = io.BytesIO()
    sheet.save(content, format="PNG", optimize=True)
    atomic.replace(path, content.getvalue())


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
